"""What fails in the user's code or on its way, and what the caller is told."""

from __future__ import annotations

import os
import re
import sys
import threading
import traceback
import types

import pytest

import modal_nb as modal
from modal_nb.exception import (
    DeserializationError,
    ExecutionError,
    SerializationError,
)
from tests.e2e.notebook import CellFailed, Notebook

app = modal.App("failures")


class Custom(Exception):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code

    def __reduce__(self):
        return Custom, (str(self), self.code)


@app.cls(max_containers=2)
class Failing:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def custom(self):
        self._inner()  # this line is seen

    def _inner(self):
        try:
            {}["nothing"]
        except KeyError as error:
            raise Custom("as it was", 7) from error

    @modal.method()
    async def custom_async(self):
        raise Custom("from a coroutine", 8)

    @modal.method()
    def exit_python(self):
        sys.exit(4)

    @modal.method()
    def unpicklable_result(self):
        return threading.Lock()

    @modal.method()
    def unpicklable_exception(self):
        error = ValueError("holds a lock")
        error.lock = threading.Lock()
        raise error

    @modal.method()
    def unknown_class(self):
        module = types.ModuleType("only_in_the_container")
        exec("class Unknown(Exception): pass", module.__dict__)
        sys.modules[module.__name__] = module
        raise module.Unknown("hidden")

    @modal.method()
    def coroutine(self):
        async def inside():
            pass

        return inside()

    @modal.method()
    def takes_one(self, x):
        return x


@pytest.fixture(scope="module")
def failing(home):
    with app.run():
        yield Failing()


@pytest.fixture
def own(home):
    """An app of the test's own, running."""
    found = modal.App("own")
    with found.run():
        yield found


def said(caught):
    return "".join(traceback.format_exception(caught.value))


# -- exceptions of the user's code ------------------------------------------------------------------------------------


def test_an_exception_comes_back_as_itself_with_its_cause_and_the_remote_lines(failing):
    with pytest.raises(Custom, match=r"(?m)^as it was$") as caught:
        failing.custom.remote()
    assert type(caught.value) is Custom
    assert caught.value.code == 7
    assert type(caught.value.__cause__) is KeyError
    text = said(caught)
    assert "self._inner()  # this line is seen" in text
    assert 'raise Custom("as it was", 7) from error' in text
    assert '{}["nothing"]' in text
    assert f'File "{__file__}"' in text
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-2:] == ["custom", "_inner"]


def test_a_container_survives_the_exceptions_of_its_methods(failing, home):
    before = failing.where.remote()
    for method in (failing.custom, failing.custom_async, failing.exit_python):
        with pytest.raises(BaseException):  # noqa: B017 - SystemExit among them
            method.remote()
    assert before in home.ids("Failing")


def test_an_async_method_raises_the_same_way(failing):
    with pytest.raises(Custom, match="from a coroutine") as caught:
        failing.custom_async.remote()
    assert 'raise Custom("from a coroutine", 8)' in said(caught)


def test_sys_exit_is_the_exception_of_this_input_alone(failing, home):
    before = failing.where.remote()
    with pytest.raises(SystemExit) as caught:
        failing.exit_python.remote()
    assert caught.value.code == 4
    assert before in home.ids("Failing")


def test_a_wrong_number_of_arguments_is_pythons_own_error(failing):
    with pytest.raises(TypeError, match=r"takes_one\(\) missing 1 required positional argument: 'x'"):
        failing.takes_one.remote()


def test_the_traceback_in_a_notebook_shows_lines_of_the_cell(home, tmp_path):
    with Notebook(tmp_path) as notebook:
        notebook.run("""
import modal_nb as modal
app = modal.App("cells")

def helper(x):
    return 1 / x  # the line of a helper cell

@app.cls()
class Model:
    @modal.method()
    def divide(self, x):
        return helper(x)  # the line of the class
""")
        with pytest.raises(CellFailed) as caught:
            notebook.run("Model().divide.remote(0)")
        assert caught.value.name == "ZeroDivisionError"
        shown = re.sub(r"\x1b\[[0-9;]*m", "", caught.value.traceback)
        assert "return helper(x)  # the line of the class" in shown
        assert "return 1 / x  # the line of a helper cell" in shown


# -- what cannot travel -----------------------------------------------------------------------------------------------


def test_an_argument_that_cannot_be_pickled_is_refused_before_anything_is_sent(failing):
    with pytest.raises(TypeError, match=r"The argument 1 of takes_one \(a _thread.lock\) cannot be pickled"):
        failing.takes_one.remote(threading.Lock())


def test_a_result_that_cannot_be_pickled_is_named(failing):
    with pytest.raises(TypeError, match=r"The result of Failing\.unpicklable_result \(a _thread"):
        failing.unpicklable_result.remote()


def test_a_coroutine_as_result_is_refused_with_the_remedy(failing):
    with pytest.raises(
        modal.exception.InvalidError, match=r"returned a coroutine, which cannot travel.*async def"
    ):
        failing.coroutine.remote()


def test_an_exception_that_cannot_be_pickled_is_told_by_its_text(failing):
    with pytest.raises(SerializationError) as caught:
        failing.unpicklable_exception.remote()
    assert "holds a lock" in said(caught)
    assert "error.lock = threading.Lock()" in said(caught) or "raise error" in said(caught)


def test_an_exception_of_an_unknown_class_is_told_by_its_text(failing):
    with pytest.raises(ExecutionError) as caught:
        failing.unknown_class.remote()
    assert "Unknown" in said(caught)
    assert "hidden" in said(caught)


def test_a_class_that_cannot_be_pickled_is_refused_at_first_use(own):
    lock = threading.Lock()

    @own.cls()
    class Holds:
        @modal.method()
        def use(self):
            return lock

    with pytest.raises(
        SerializationError, match=r"The class Holds cannot be sent .*lock.* cannot be pickled"
    ):
        Holds().use.remote()


def test_a_class_of_more_than_16_mib_is_refused(own):
    weight = os.urandom(17 * 1024 * 1024)

    @own.cls()
    class Heavy:
        @modal.method()
        def use(self):
            return weight

    with pytest.raises(modal.exception.InvalidError, match=r"Heavy.*17.0 MiB.*at most 16.0 MiB can be sent"):
        Heavy().use.remote()


def test_a_module_that_the_container_lacks_is_named(own):
    module = types.ModuleType("only_here")
    exec("def f(): return 1", module.__dict__)
    sys.modules["only_here"] = module
    try:

        @own.cls()
        class Needs:
            @modal.method()
            def use(self):
                return module.f()

        with pytest.raises(
            (ModuleNotFoundError, DeserializationError, SerializationError, ExecutionError), match="only_here"
        ):
            Needs().use.remote()
    finally:
        del sys.modules["only_here"]
