"""Cells of a notebook for the tests of the class digest."""

from __future__ import annotations

import types

from modal_nb.client.introspect import class_digest

CELLS = """
import functools, dataclasses, enum, math
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.parameter import Parameter

THRESHOLD = 3
LABELS = {"cat", "dog", "eel"}
TABLE = {"b": [1, 2], "a": (None, 2.5)}

class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Point:
    x: int = 0
    tags: list = dataclasses.field(default_factory=list)

def deepest(x):
    return x + THRESHOLD

@functools.lru_cache
def helper(x, y=1, *, z=2):
    return deepest(x) if x else helper(x - 1)

def make(k):
    return lambda x: x + k

added = make(5)

class Base:
    def shared(self):
        return TABLE

class Model(Base):
    '''A docstring.'''
    size: int = Parameter(default=3)

    def enter_one(self): ...
    def enter_two(self): ...
    first = PartialFunction(enter_one, Mark.ENTER)
    second = PartialFunction(enter_two, Mark.ENTER)

    @functools.cached_property
    def cached(self):
        return [label for label in LABELS]

    @property
    def prop(self): return math.pi

    @staticmethod
    def stat(): return Colour.RED

    def predict(self, x):
        def inner():
            return added(x), Point(x)
        return helper(x), inner()
    predict = PartialFunction(predict, Mark.METHOD)
"""


def run(text, name="<cell>"):
    """``Model`` after these cells ran in a notebook."""
    module = types.ModuleType("__main__")
    exec(compile(text, name, "exec"), vars(module))
    return module.Model


def digest_of(text, name="<cell>"):
    return class_digest(run(text, name))
