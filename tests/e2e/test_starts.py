"""Containers that do not come up, and what the caller is told."""

from __future__ import annotations

import os
import re
import sys
import time
import traceback

import pytest

import modal_nb as modal
from modal_nb.exception import (
    ExecutionError,
    StartFailedError,
    StartupTimeoutError,
)


class Custom(Exception):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code

    def __reduce__(self):
        return Custom, (str(self), self.code)


@pytest.fixture
def own(home):
    """An app of the test's own, running."""
    found = modal.App("own")
    with found.run():
        yield found


def said(caught):
    return "".join(traceback.format_exception(caught.value))


def test_an_enter_hook_that_raises_reaches_the_caller_as_itself(own):
    @own.cls(max_containers=1)
    class NoDatabase:
        @modal.enter()
        def connect(self):
            raise Custom("no database", 5)  # the line of the hook

        @modal.method()
        def use(self): ...

    with pytest.raises(Custom, match="no database") as caught:
        NoDatabase().use.remote()
    assert caught.value.code == 5
    assert 'raise Custom("no database", 5)  # the line of the hook' in said(caught)
    assert re.search(r"Raised while ct-\d+-\w+, a container of NoDatabase, started\.", said(caught))


def test_sys_exit_in_an_enter_hook_is_named(own):
    @own.cls(max_containers=1)
    class Exits:
        @modal.enter()
        def leave(self):
            sys.exit(3)

        @modal.method()
        def use(self): ...

    with pytest.raises(ExecutionError, match=r"Exits\.leave called sys\.exit\(3\)"):
        Exits().use.remote()


def test_an_enter_hook_that_ends_the_process_is_named_by_exit_code_and_last_words(own):
    @own.cls(max_containers=1)
    class Exits:
        @modal.enter()
        def leave(self):
            print("about to leave", flush=True)
            os._exit(3)

        @modal.method()
        def use(self): ...

    with pytest.raises(StartFailedError, match="failed to start: ended with exit code 3") as caught:
        Exits().use.remote()
    assert "about to leave" in str(caught.value)


def test_a_failing_import_in_the_class_is_named(own):
    @own.cls(max_containers=1)
    class Imports:
        @modal.enter()
        def load(self):
            import module_that_is_nowhere  # noqa: F401

        @modal.method()
        def use(self): ...

    with pytest.raises(ModuleNotFoundError, match="No module named 'module_that_is_nowhere'"):
        Imports().use.remote()


def test_startup_timeout_ends_a_start_and_is_named(own):
    @own.cls(max_containers=1, startup_timeout=1)
    class Slow:
        @modal.enter()
        def load(self):
            print("loading", flush=True)
            time.sleep(1000)

        @modal.method()
        def use(self): ...

    with pytest.raises(StartupTimeoutError) as caught:
        Slow().use.remote()
    assert "took longer than startup_timeout=1 seconds to import and enter; raise `startup_timeout`" in str(
        caught.value
    )
    assert "loading" in str(caught.value)
