"""The class on its way into a container."""

from __future__ import annotations

import builtins
import importlib
import json
import pickle
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import pytest

from modal_nb.exception import DeserializationError, InvalidError, SerializationError
from modal_nb.runtime import pickler
from modal_nb.runtime.loader import dump_class, load_class
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.payload import dumps_arguments
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service, describe

MARKS = """
from modal_nb.runtime.parameter import Parameter
from modal_nb.runtime.partial_function import Mark, PartialFunction
"""


def notebook(text):
    """The namespace of a notebook after a cell with this text."""
    module = types.ModuleType("__main__")
    exec(compile(MARKS + textwrap.dedent(text), "<cell>", "exec"), vars(module))
    return module


def elsewhere(frames, tmp_path, code):
    """Run code with ``cls`` loaded in another process; its output."""
    path = tmp_path / "frames.bin"
    path.write_bytes(pickle.dumps([bytes(frame) for frame in frames]))
    head = (
        "import pickle, pathlib\nfrom modal_nb.runtime.loader import load_class\n"
        f"cls = load_class(pickle.loads(pathlib.Path({str(path)!r}).read_bytes()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_class_travels_with_the_globals_it_uses(tmp_path):
    space = notebook(
        """
        import functools
        base = {"a": 40}
        unused = (x for x in ())  # would not pickle
        @functools.lru_cache
        def helper(x):
            return x + base["a"]
        class Model:
            f = PartialFunction(lambda self, x: helper(x), Mark.METHOD)
            @functools.cached_property
            def g(self):
                return base
        """
    )
    said = elsewhere(dump_class(space.Model), tmp_path, "print(cls().f(2), cls().g)")
    assert said == "42 {'a': 40}\n"


def test_the_order_of_hooks_and_parameters_survives_the_journey(tmp_path):
    space = notebook(
        """
        class Base:
            z: int = Parameter(default=1)
            y: int = Parameter(default=2)
            def up(self): ...
            zulu = PartialFunction(up, Mark.ENTER)
            def down(self): ...
            alpha = PartialFunction(down, Mark.ENTER)
        class Model(Base):
            a: str = Parameter(default="")
            def mid(self): ...
            bravo = PartialFunction(mid, Mark.ENTER)
        """
    )
    frames = dump_class(space.Model)
    said = elsewhere(
        frames,
        tmp_path,
        """
        from modal_nb.runtime.service import describe
        shape = describe(cls)
        print([f.__name__ for f in shape.enter], [p.name for p in shape.parameters])
        """,
    )
    assert said == "['up', 'down', 'mid'] ['z', 'y', 'a']\n"
    assert [f.__name__ for f in describe(space.Model).enter] == ["up", "down", "mid"]


def test_a_class_of_an_importable_module_travels_by_value(tmp_path, monkeypatch):
    (tmp_path / "till_shop.py").write_text("RATE = 2\nclass Till:\n    def f(self, x): return x * RATE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import till_shop as shop

    frames = dump_class(shop.Till)
    shop.Till, original = object(), shop.Till  # as a decorator does
    rebound = dump_class(original)
    (tmp_path / "till_shop.py").unlink()
    for one in (frames, rebound):
        assert elsewhere(one, tmp_path, "print(cls().f(21))") == "42\n"


def test_source_lines_of_cells_travel_with_the_class(tmp_path):
    import linecache

    text = "class Model:\n    def f(self):\n        return 1 / 0  # here\n"
    name = "/tmp/ipykernel_99/555.py"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), space)
    try:
        frames = dump_class(space["Model"])
    finally:
        del linecache.cache[name]
    said = elsewhere(
        frames,
        tmp_path,
        "import traceback\ntry:\n    cls().f()\nexcept Exception: print(traceback.format_exc())",
    )
    assert "return 1 / 0  # here" in said


def test_arrays_that_a_class_refers_to_travel_beside_the_pickle():
    data = np.arange(3000)

    class Model:
        def f(self):
            return data.sum()

    frames = dump_class(Model)
    assert len(frames) == 3
    assert load_class([bytes(frame) for frame in frames])().f() == data.sum()


def test_what_cannot_be_pickled_is_named_with_the_way_to_it():
    space = notebook(
        """
        import threading
        lock = threading.Lock()
        def helper():
            with lock:
                return 1
        class Model:
            f = PartialFunction(lambda self: helper(), Mark.METHOD)
        """
    )
    with pytest.raises(SerializationError) as caught:
        dump_class(space.Model)
    text = str(caught.value)
    assert "Model.f -> global 'helper' -> global 'lock' (a lock) cannot be pickled" in text
    assert "@modal.enter()" in text


def test_a_class_attribute_and_a_closure_are_named_too():
    lock = threading.Lock()

    class Attribute:
        guard = lock

    class Closure:
        f = PartialFunction(lambda self: lock, Mark.METHOD)

    with pytest.raises(SerializationError, match=r"Attribute\.guard"):
        dump_class(Attribute)
    with pytest.raises(SerializationError, match=r"Closure\.f -> variable 'lock'"):
        dump_class(Closure)


def test_a_big_class_warns_and_a_huge_one_is_refused():
    big = b"x" * 300_000
    huge = [b"y" * 9_000_000, b"z" * 9_000_000]

    class Big:
        def f(self):
            return big

    class Huge:
        def f(self):
            return huge

    with pytest.warns(
        UserWarning, match=r"Big with all that it refers to takes 0\.3 MiB, of which .*'big' is 0\.3 MiB"
    ):
        dump_class(Big)
    with pytest.raises(InvalidError, match=r"takes 17\.2 MiB, of which .*'huge'.*at most 16\.0 MiB"):
        dump_class(Huge)


@pytest.mark.parametrize("what", ["python", "cloudpickle"])
def test_other_versions_are_one_sentence(what):
    class Model:
        pass

    head, *rest = dump_class(Model)
    changed = json.dumps(json.loads(head) | {what: "0.1"}).encode()
    with pytest.raises(
        DeserializationError, match=rf"Model was sent from {what} 0\.1 and this container has \d"
    ):
        load_class([changed, *rest])


def test_a_traveller_serves_and_its_exceptions_are_the_senders(tmp_path):
    class OwnError(Exception):
        pass

    class Model:
        @lambda f: PartialFunction(f, Mark.METHOD)
        def f(self):
            raise OwnError("mine")

    cls = load_class([bytes(frame) for frame in dump_class(Model)])
    runner = Runner(Service(cls))
    reply = runner.run_sync(runner.expect(1), "f", dumps_arguments((), {}))
    from modal_nb.runtime.reply import read_reply

    [(_, error)] = read_reply(reply.outcome, reply.content, reply.frames)
    assert type(error) is OwnError


@pytest.mark.parametrize(
    ("source", "name", "place"),
    [
        ("IPython.core.interactiveshell:InteractiveShell", "get_ipython", "builtins"),
        ("ipykernel.kernelbase:Kernel", "getpass", "getpass"),
        ("ipykernel.kernelbase:Kernel", "raw_input", "builtins"),
    ],
)
def test_what_a_notebook_has_in_place_of_a_function_travels_as_that_function(
    monkeypatch, source, name, place
):
    """``from getpass import getpass`` in a cell gives a method of the cell's kernel."""
    module, _, cls = source.partition(":")
    function = getattr(getattr(importlib.import_module(module), cls), name)
    monkeypatch.setattr(builtins, "get_ipython", len, raising=False)
    found = pickle.loads(pickler.dumps(types.MethodType(function, object())))
    assert found is getattr(importlib.import_module(place), {"raw_input": "input"}.get(name, name))
