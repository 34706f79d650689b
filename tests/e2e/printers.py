"""What the tests of logs share: classes whose methods print in every way."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing.pool
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import modal_nb as modal

app = modal.App("printers")


class Marked:
    """Methods that say when they run, and wait to be let on."""

    @modal.enter()
    def enter(self):
        print("entered")
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.other_pool = multiprocessing.pool.ThreadPool(1)

    @staticmethod
    def wait_for(path):
        Path(path + ".began").write_text(os.environ["MODAL_TASK_ID"])
        while not Path(path).exists():
            time.sleep(0.005)


@app.cls(max_containers=1)
class Printer(Marked):
    @modal.method()
    def say(self, *words):
        print(*words)
        return modal.current_function_call_id()

    @modal.method()
    def say_and_wait(self, word, path):
        print(word, "before")
        self.wait_for(path)
        print(word, "after")

    @modal.method()
    def say_nothing(self):
        return modal.current_function_call_id()

    @modal.method()
    def in_many_ways(self):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        sys.stdout.buffer.write("bytes, ä\n".encode())
        sys.stdout.buffer.flush()
        started = threading.Thread(target=print, args=["from a thread"])
        started.start()
        started.join()
        self.pool.submit(print, "from a pool").result()
        self.other_pool.apply(print, ["from another pool"])
        asyncio.run(asyncio.to_thread(print, "from asyncio"))
        print("no", "end", end="")

    @modal.method()
    def leave_a_thread(self, path, word):
        """Its thread prints when ``path`` exists, long after the input has ended."""

        def late():
            self.wait_for(path)
            print(word)
            Path(path + ".printed").touch()

        threading.Thread(target=late, daemon=True).start()

    @modal.method()
    def below_python(self):
        os.write(1, b"\nto the descriptor\n")
        subprocess.run(["echo", "a child"], check=True)
        pid = os.fork()
        if pid == 0:
            print("a fork", flush=True)
            os._exit(0)
        os.waitpid(pid, 0)

    @modal.method()
    def misuse(self, way):
        """User code may do what it likes to its streams."""
        before = sys.stdout, sys.stderr
        print("as ever")
        if way == "replaced":
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
            print("elsewhere")
            sys.stdout.close()
            sys.stdout = before[0]
        elif way == "reconfigured":
            sys.stdout.reconfigure(encoding="latin-1", line_buffering=False, errors="replace")
            print("buffered")
            sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
        elif way == "surrogates":
            sys.stdout.buffer.write(b"\xff\xfe\n")
            sys.stdout.flush()
        elif way == "None":
            sys.stdout = sys.stderr = None
            print("nowhere")
            sys.stdout, sys.stderr = before
        print("still here")
        return way

    @modal.method()
    def die(self, word):
        print(word)
        print("half a line", end="", flush=True)
        os.kill(os.getpid(), 9)

    @modal.method(is_generator=True)
    def items(self, word, n):
        for number in range(n):
            print(word, number)
            yield modal.current_function_call_id()

    @modal.method()
    def flood(self, lines, word):
        for number in range(lines):
            print(word, number, "x" * 80)


@app.cls(max_containers=1)
@modal.concurrent(max_inputs=4)
class Beside(Marked):
    @modal.method()
    def in_threads(self, word, meeting, parties):
        """All of them print in turns, each also from a thread of its own."""
        self.meet(word, meeting, parties)
        for number in range(50):
            print(word, "here", number)
            started = threading.Thread(target=print, args=[word, "thread", number])
            started.start()
            started.join()

    @modal.method()
    async def in_tasks(self, word, meeting, parties):
        await asyncio.to_thread(self.meet, word, meeting, parties)
        for number in range(50):
            print(word, "here", number)
            await asyncio.sleep(0)
            await asyncio.create_task(self.other(word, number))

    async def other(self, word, number):
        print(word, "thread", number)

    @modal.method(is_generator=True)
    def items(self, word, n):
        for number in range(n):
            print(word, number)
            yield modal.current_function_call_id()

    @modal.method(is_generator=True)
    async def async_items(self, word, n):
        for number in range(n):
            print(word, number)
            yield modal.current_function_call_id()

    @staticmethod
    def meet(word, meeting, parties):
        Path(meeting, word).touch()
        while len(list(Path(meeting).iterdir())) < parties:
            time.sleep(0.005)


@app.cls(max_containers=1)
class Together:
    @modal.batched(max_batch_size=3, wait_ms=600_000)
    def batch(self, words):
        print("batch of", *words)
        return words
