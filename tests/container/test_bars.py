"""Which bar ``tqdm.auto`` gives in a container: widgets to a notebook, text to all others, whenever it was imported."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace

import pytest
from tqdm.asyncio import tqdm_asyncio
from tqdm.notebook import tqdm_notebook

from modal_nb.container.bars import Bars


class Looks:
    """Who looks now."""

    def __init__(self):
        self.notebook = False
        self.module = SimpleNamespace(__name__="tqdm.auto", tqdm=tqdm_asyncio)
        Bars(lambda: self.notebook).arrived(self.module)

    def bar(self, *args, **options):
        return self.module.tqdm(*args, file=io.StringIO(), **options)


@pytest.fixture
def looks():
    return Looks()


def test_text_where_no_notebook_looks(looks):
    bar = looks.bar(range(3), desc="text")
    assert list(bar) == [0, 1, 2]
    assert "100%" in bar.fp.getvalue()
    assert not isinstance(bar, tqdm_notebook)
    assert type(bar) is looks.module.tqdm


def test_widgets_where_one_looks_also_if_it_did_not_before(looks):
    list(looks.bar(range(3)))
    looks.notebook = True
    bar = looks.bar(range(3), desc="widgets", display=False)
    assert isinstance(bar, tqdm_notebook)
    assert isinstance(bar, looks.module.tqdm)
    assert list(bar) == [0, 1, 2]
    assert bar.container.children[1].value == 3


def test_it_can_be_awaited(looks):
    looks.notebook = True

    async def items():
        yield 1
        yield 2

    async def gathered():
        return [item async for item in looks.bar(items(), display=False)]

    assert asyncio.run(gathered()) == [1, 2]


def test_a_subclass_of_a_library_is_left_alone(looks):
    looks.notebook = True

    class Own(looks.module.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.own = True

    bar = Own(range(3), file=io.StringIO())
    assert bar.own
    assert list(bar) == [0, 1, 2]
    assert not isinstance(bar, tqdm_notebook)


def test_where_there_was_a_shell_the_module_has_chosen(looks):
    class Chosen(tqdm_notebook, tqdm_asyncio):
        """As tqdm.auto makes it."""

    module = SimpleNamespace(__name__="tqdm.auto", tqdm=Chosen)
    Bars(lambda: True).arrived(module)
    assert module.tqdm is Chosen
