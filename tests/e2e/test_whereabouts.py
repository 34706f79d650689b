"""What an exception from a container says about where it was raised, in scripts and in the tracebacks of IPython."""

from __future__ import annotations

import os
import pickle
import re
import sys
import traceback

import pytest

import modal_nb as modal
from modal_nb.exception import ContainerCrashedError
from tests.e2e.notebook import CellFailed, Notebook

app = modal.App("whereabouts")
IDS = r"(ct-[\w-]+)", r"(in-\w+-\d+-\d+)"
RAISED = rf"Raised in {IDS[0]} while running {{}} \({IDS[1]}\)\."


@app.cls(max_containers=2)
class Inner:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def fail(self, x):
        for number in range(7):
            print(f"{x}: line {number} \x1b]0;title\x07\x1b[31m!")
        print("an error", file=sys.stderr)
        raise ValueError(x)

    @modal.method()
    def quiet(self, x):
        raise ValueError(x)

    @modal.method()
    def items(self):
        yield 1
        raise ValueError("of a generator")

    @modal.method()
    async def later(self):
        print("awaited")
        raise ValueError("of a coroutine")


@app.cls(max_containers=1)
class Outer:
    @modal.method()
    def through(self):
        print("outer")
        return Inner().quiet.remote("nested")

    @modal.method()
    def wrapped(self):
        try:
            Inner().quiet.remote("nested")
        except ValueError as error:
            raise RuntimeError("wrapped") from error


@app.cls(max_containers=1)
class Lists:
    @modal.batched(max_batch_size=3, wait_ms=1000)
    def run(self, xs):
        print("a batch of", len(xs))
        raise ValueError("of a batch")


@app.cls(max_containers=1)
class NoStart:
    @modal.enter()
    def load(self):
        print("loading")
        raise LookupError("no weights")

    @modal.method()
    def run(self): ...


@app.cls(max_containers=1, env={"PYTHONFAULTHANDLER": "1"})
class Broken:
    @modal.method()
    def run(self):
        import ctypes

        ctypes.string_at(0)


@pytest.fixture(scope="module")
def running(home):
    with app.run():
        yield


def failing(call, *args):
    with pytest.raises(Exception) as caught:
        call(*args)
    return caught.value


def test_it_says_container_and_input_and_the_last_lines_of_that_input(running):
    error = failing(Inner().fail.remote, "mine")
    first, *lines = error.__notes__[0].split("\n")
    container, name = re.match(RAISED.format("Inner.fail"), first).groups()
    assert lines == [*(f"    mine: line {number} !" for number in (3, 4, 5, 6)), "    an error"]
    (where,) = error.__modal_nb__
    assert (where.container, where.input, where.label) == (container, name, "Inner.fail")
    assert where.call == f"fc-{name.removeprefix('in-').rpartition('-')[0]}"
    assert container.startswith(f"ct-{where.number}-")


def test_an_input_that_printed_nothing_has_no_lines_of_others(running):
    failing(Inner().fail.remote, "others")
    (note,) = failing(Inner().quiet.remote, "x").__notes__
    assert re.fullmatch(RAISED.format("Inner.quiet"), note)


@pytest.mark.parametrize(
    ("call", "label"),
    [
        (lambda: list(Inner().items.remote_gen()), "Inner.items"),
        (lambda: Inner().later.remote(*()), "Inner.later"),
        (lambda: Inner().quiet.spawn(1).get(), "Inner.quiet"),
        (lambda: list(Inner().quiet.map([1])), "Inner.quiet"),
    ],
)
def test_all_ways_to_call_say_it(running, call, label):
    (note,) = failing(call).__notes__
    assert re.match(RAISED.format(label), note)


def test_returned_exceptions_say_it_each_with_its_own_lines(running):
    errors = list(Inner().fail.map(range(40), return_exceptions=True))
    assert [error.args for error in errors] == [(x,) for x in range(40)]
    for x, error in enumerate(errors):
        (note,) = error.__notes__
        assert note.split("\n")[1].startswith(f"    {x}: line 3")
        assert error.__modal_nb__[0].input.endswith(f"-{x}")


def test_members_of_a_batch_say_their_own_input(running):
    errors = list(Lists().run.map(range(3), return_exceptions=True))
    assert [error.__modal_nb__[0].input.rpartition("-")[2] for error in errors] == ["0", "1", "2"]
    assert all("It printed last:\n    a batch of " in error.__notes__[0] for error in errors)


def test_nested_calls_add_one_note_for_each_container_in_order(running):
    error = failing(Outer().through.remote)
    raised, came = error.__notes__
    assert re.fullmatch(RAISED.format("Inner.quiet"), raised)
    assert re.fullmatch(
        rf"Came through Outer.through in {IDS[0]} \({IDS[1]}\)\. It printed last:\n    outer", came
    )
    assert [where.label for where in error.__modal_nb__] == ["Inner.quiet", "Outer.through"]


def test_a_cause_keeps_its_note(running):
    error = failing(Outer().wrapped.remote)
    assert re.fullmatch(RAISED.format("Outer.wrapped"), "".join(error.__notes__))
    assert re.fullmatch(RAISED.format("Inner.quiet"), "".join(error.__cause__.__notes__))


def test_notes_stay_when_it_is_pickled_and_asked_for_again(running):
    call = Inner().quiet.spawn("kept")
    first, second = failing(call.get), failing(call.get)
    assert first.__notes__ == second.__notes__
    assert len(first.__notes__) == 1
    assert pickle.loads(pickle.dumps(first)).__notes__ == first.__notes__


def test_an_enter_hook_that_fails_says_what_it_printed(running):
    error = failing(NoStart().run.remote)
    assert type(error) is LookupError
    assert re.fullmatch(
        rf"Raised while {IDS[0]}, a container of NoStart, started\. It printed last:\n    loading",
        error.__notes__[0],
    )
    assert "in load\n    raise LookupError" in "".join(traceback.format_exception(error))


def test_faulthandler_says_where_compiled_code_broke(running):
    error = failing(Broken().run.remote)
    assert type(error) is ContainerCrashedError
    assert re.search(r"    Current thread 0x\w+", str(error))
    assert re.search(rf'File "{re.escape(__file__)}", line \d+ in run', str(error))
    assert error.__notes__[0].startswith("What to do: compiled code in it broke.")


# -- in a notebook ----------------------------------------------------------------------------------------------------

DEFINE = """
import threading
import modal_nb as modal
app = modal.App("cells")

class Picky(Exception):
    def __init__(self, code, *, reason):
        super().__init__(f"{code}: {reason}")

@app.cls(max_containers=1)
class Model:
    @modal.method()
    def divide(self, x):
        print("about to divide")
        y = 1
        return y / x  # it breaks here
    @modal.method()
    def picky(self):
        raise Picky(3, reason="it is")  # it breaks here
    @modal.method()
    def locked(self):
        error = ValueError("holds a lock")
        error.lock = threading.Lock()
        raise error  # it breaks here
    @modal.method()
    def group(self):
        raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])  # it breaks here
    @modal.method()
    def syntax(self):
        compile("a b", "made up", "exec")  # it breaks here
"""


@pytest.fixture(scope="module")
def notebook(home, tmp_path_factory):
    with Notebook(tmp_path_factory.mktemp("notebook")) as found:
        found.run(DEFINE)
        yield found


def shown(notebook, cell):
    with pytest.raises(CellFailed) as caught:
        notebook.run(cell)
    return caught.value.name, re.sub(r"\x1b\[[0-9;]*m", "", caught.value.traceback)


@pytest.mark.parametrize(
    ("method", "name", "says"),
    [
        ("divide.remote(0)", "ZeroDivisionError", "division by zero"),
        ("picky.remote()", "Picky", "3: it is"),
        ("locked.remote()", "SerializationError", "holds a lock"),
        ("divide.spawn(0).get()", "ZeroDivisionError", "division by zero"),
        ("divide.for_each([0])", "ZeroDivisionError", "division by zero"),
    ],
)
def test_ipython_shows_the_cell_at_the_line_once_and_then_the_container(notebook, method, name, says):
    found, text = shown(notebook, f"1\nmodel = Model()\nmodel.{method}  # the call")
    assert found == name
    arrows = [line for line in text.splitlines() if re.match(r"-+> *\d", line)]
    assert re.match(rf"-+> 3 model\.{re.escape(method)}  # the call", arrows[0])
    assert arrows[-1].endswith("# it breaks here")
    assert len(arrows) == 2
    assert says in text
    assert "modal_nb/client" not in text
    assert "modal_nb/runtime" not in text
    assert len(re.findall(r"Raised in ct-[\w-]+ while running Model\.", text)) == 1
    assert text.count("Traceback (most recent call last)") == 1


def test_a_syntax_error_of_the_code_is_shown_with_the_cell_and_the_container(notebook):
    name, text = shown(notebook, "Model().syntax.remote()")
    assert name == "SyntaxError"
    assert 'compile("a b", "made up", "exec")  # it breaks here' in text
    assert re.search(r"SyntaxError: invalid syntax\nRaised in ct-[\w-]+ while running Model.syntax", text)


def test_a_group_is_shown_with_the_cell_and_the_container(notebook):
    # IPython leaves groups to Python, which prints them to stderr
    text = notebook.run(
        "import traceback\ntry: Model().group.remote()\nexcept ExceptionGroup: print(traceback.format_exc())"
    )
    assert "ValueError: one" in text
    assert "# it breaks here" in text
    assert len(re.findall(r"Raised in ct-[\w-]+ while running Model.group", text)) == 1


def test_a_failed_start_is_one_traceback_and_no_output_of_ours(notebook):
    notebook.run(
        "@app.cls(max_containers=1)\nclass NoStart:\n    @modal.enter()\n    def load(self):\n"
        "        raise LookupError('no weights')\n    @modal.method()\n    def run(self): ..."
    )
    printed = notebook.run("try: NoStart().run.remote()\nexcept LookupError: print('it was raised')")
    assert "Traceback" not in printed
    assert "it was raised" in printed


def test_ipython_shows_what_the_input_printed(notebook):
    _, text = shown(notebook, "Model().divide.remote(0)")
    assert re.search(
        r"ZeroDivisionError: division by zero\nRaised in .*It printed last:\n    about to divide", text
    )
