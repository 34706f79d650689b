"""Classes that fail as often as they are told, and write down how often each input ran."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import modal_nb as modal

app = modal.App("flaky")
#: extra attempts
RETRIES = 2
AT_ONCE = modal.Retries(max_retries=RETRIES, initial_delay=0)
LATER = modal.Retries(max_retries=RETRIES, initial_delay=60)


class Transient(Exception):
    """Of the module that declares the policy."""


class VeryTransient(Transient):
    pass


class Fatal(Exception):
    pass


ERRORS = {
    "value": ValueError,
    "transient": Transient,
    "very transient": VeryTransient,
    "fatal": Fatal,
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "group": lambda n: ExceptionGroup("several", [ValueError(n)]),
}


class Code:
    """Each run of an input is a byte in a file of its name."""

    folder: str = modal.parameter()

    def ran(self, x):
        """Which run of this input this is, from 1 on."""
        with Path(self.folder, f"ran-{x}").open("ab") as file:
            file.write(b".")
            return file.tell()

    def run_or_fail(self, x, failures, error):
        n = self.ran(x)
        if n <= failures:
            raise ERRORS[error](n)
        return x, n

    @modal.method()
    def run(self, x, failures=0, error="value"):
        return self.run_or_fail(x, failures, error)

    @modal.method()
    async def a_run(self, x, failures=0, error="value"):
        await asyncio.sleep(0)
        return self.run_or_fail(x, failures, error)

    @modal.method()
    def slow_or_fail(self, x, failures, seconds):
        if seconds:
            time.sleep(seconds)
        return self.run_or_fail(x, failures, "value")

    @modal.method()
    def ids(self, x, failures):
        with Path(self.folder, f"ids-{x}").open("a") as file:
            file.write(f"{modal.current_input_id()} {modal.current_function_call_id()}\n")
        return self.run_or_fail(x, failures, "value")

    @modal.method()
    def where(self, x, failures):
        with Path(self.folder, f"where-{x}").open("a") as file:
            file.write(os.environ["MODAL_TASK_ID"] + "\n")
        return self.run_or_fail(x, failures, "value")

    @modal.method()
    def give_lock(self, x):
        self.ran(x)
        return threading.Lock()

    @modal.method()
    def hang(self, x, hanging):
        if self.ran(x) <= hanging:
            time.sleep(1000)
        return x

    @modal.method()
    async def a_hang(self, x, hanging):
        if self.ran(x) <= hanging:
            await asyncio.sleep(1000)
        return x

    @modal.method()
    def die_or_fail(self, x, fates):
        """``fates``: a letter for each run: d(ie), f(ail), else it is answered."""
        fate = fates[self.ran(x) - 1]
        if fate == "d":
            os._exit(9)
        if fate == "f":
            raise ValueError(x)
        return x

    @modal.method()
    def items(self, x, count, fails_at):
        """Fails before the item ``fails_at[run]``, if there is one."""
        n = self.ran(x)
        for item in range(count):
            if fails_at[n - 1 :][:1] == [item]:
                raise ValueError(n, item)
            yield item

    @modal.method()
    async def a_items(self, x, count, fails_at):
        n = self.ran(x)
        for item in range(count):
            await asyncio.sleep(0)
            if fails_at[n - 1 :][:1] == [item]:
                raise ValueError(n, item)
            yield item

    @modal.method()
    def through_another(self, x, failures, failures_inside):
        """Calls a method that may fail, and may fail itself."""
        n = self.ran(x)
        found = Patient(folder=self.folder).run.remote(f"{x}-{n}", failures_inside)
        if n <= failures:
            raise ValueError(n)
        return found


@app.cls(max_containers=1, retries=AT_ONCE)
class Flaky(Code):
    pass


@app.cls(max_containers=1, retries=AT_ONCE)
@modal.concurrent(max_inputs=8)
class Wide(Code):
    pass


@app.cls(max_containers=1, retries=AT_ONCE, timeout=1, startup_timeout=60)
class Hasty(Code):
    pass


@app.cls(max_containers=1, retries=LATER)
class Patient(Code):
    pass


class Notes:
    """How often the inputs of an instance ran."""

    def __init__(self, folder):
        self.folder = folder

    def runs(self, x):
        path = self.folder / f"ran-{x}"
        return path.stat().st_size if path.exists() else 0

    def lines(self, name):
        return (self.folder / name).read_text().splitlines()
