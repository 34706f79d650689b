"""Source lines of code that runs elsewhere, in the tracebacks of plain Python and of IPython."""

from __future__ import annotations

import json
import linecache
import subprocess
import sys
import textwrap

import pytest
from IPython.core import ultratb

from modal_nb.runtime import remote_frames
from modal_nb.runtime.failures import dump_failure, load_failure
from tests.runtime.journeys import printed, raised, travel

CELL = textwrap.dedent(
    """\
    def predict(x):
        y = x + 1
        return explode(y)

    def explode(y):
        raise RuntimeError(f"no {y}")
    """
)


def run_in(filename, text, *, with_source=True):
    lines = text.splitlines(keepends=True)
    if with_source:
        linecache.cache[filename] = (len(text), None, lines, filename)
    space = {"__name__": "__main__"}
    exec(compile(text, filename, "exec"), space)
    return raised(lambda: space["predict"](1))


@pytest.fixture
def _clean_linecache():
    before = dict(linecache.cache)
    yield
    linecache.cache.clear()
    linecache.cache.update(before)
    remote_frames._registered.clear()


@pytest.mark.usefixtures("_clean_linecache")
@pytest.mark.parametrize(
    "name", ["/tmp/ipykernel_99/123.py", "<ipython-input-3-abc>", "<stdin>", "/srv/there/model.py"]
)
def test_source_lines_travel_with_code_that_has_no_file_here(name):
    content, frames = dump_failure(run_in(name, CELL))
    del linecache.cache[name]
    text = printed(load_failure(content, frames))
    assert f'File "{name}", line 3, in predict\n    return explode(y)\n           ^^^^^^^^^^\n' in text
    assert 'raise RuntimeError(f"no {y}")' in text


@pytest.mark.usefixtures("_clean_linecache")
def test_code_without_source_still_shows_its_frames():
    back = travel(run_in("<stdin>", CELL, with_source=False))
    assert 'File "<stdin>", line 3, in predict\nFile' in printed(back).replace("\n  File", "\nFile")


@pytest.mark.usefixtures("_clean_linecache")
def test_a_file_that_differs_here_is_shown_as_it_was_in_the_container(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(CELL)
    error = run_in(str(path), CELL, with_source=False)
    content, frames = dump_failure(error)
    assert f'File "{path}", line 3' in printed(load_failure(content, frames))
    path.write_text("# edited\n" * 10)
    linecache.clearcache()
    text = printed(load_failure(content, frames))
    assert f'File "container:{path}", line 3, in predict\n    return explode(y)' in text
    assert linecache.getline(str(path), 3) == "# edited\n"


@pytest.mark.usefixtures("_clean_linecache")
@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose"])
def test_ipython_shows_the_remote_lines(mode):
    name = "/tmp/ipykernel_99/77.py"
    content, frames = dump_failure(run_in(name, CELL))
    del linecache.cache[name]
    back = load_failure(content, frames)
    show = ultratb.FormattedTB(mode=mode, theme_name="nocolor")
    text = show.stb2text(show.structured_traceback(type(back), back, back.__traceback__))
    assert "return explode(y)" in text
    assert 'raise RuntimeError(f"no {y}")' in text
    assert "RuntimeError: no 2" in text


@pytest.mark.usefixtures("_clean_linecache")
def test_long_files_send_the_lines_around(tmp_path):
    path = tmp_path / "long.py"
    text = "# filler\n" * 5000 + CELL + "# filler\n" * 5000
    path.write_text(text)
    error = run_in(str(path), text, with_source=False)
    content, frames = dump_failure(error)
    assert len(json.dumps(content["sources"][str(path)])) < 5000
    path.unlink()
    linecache.clearcache()
    assert "return explode(y)" in printed(load_failure(content, frames))


def test_between_two_processes(tmp_path):
    out = tmp_path / "failure.bin"
    code = textwrap.dedent(
        f"""\
        import pickle
        from modal_nb.runtime.failures import dump_failure

        class Own(Exception):
            def __init__(self, a, b):
                super().__init__(a)
                self.b = b

        def fail():
            raise Own("a", "b")

        try:
            fail()
        except Own as error:
            pickle.dump(dump_failure(error), open({str(out)!r}, "wb"))
        """
    )
    script = tmp_path / "script.py"
    script.write_text(
        code.replace("open(", "__import__('pathlib').Path(").replace(', "wb"))', ").open('wb'))")
    )
    subprocess.run([sys.executable, "-W", "ignore", str(script)], check=True)
    script.unlink()
    import pickle

    back = load_failure(*pickle.loads(out.read_bytes()))
    assert type(back).__name__ == "Own"
    assert back.b == "b"
    assert 'in fail\n    raise Own("a", "b")' in printed(back)
