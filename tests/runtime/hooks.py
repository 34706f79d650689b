"""Classes with hooks, parameters and methods; hooks write into ``log``."""

from __future__ import annotations

import asyncio

from modal_nb.runtime.parameter import Parameter
from modal_nb.runtime.partial_function import Mark, PartialFunction


def method(f=None, **options):
    return PartialFunction(f, Mark.METHOD, **options) if f else lambda g: method(g, **options)


def enter(f=None, *, snap=False):
    return PartialFunction(f, Mark.ENTER, snap=snap) if f else lambda g: enter(g, snap=snap)


def leave(f):
    return PartialFunction(f, Mark.EXIT)


log: list[str] = []


class Base:
    size: int = Parameter(default=2)

    @enter
    def zebra(self):
        log.append("base zebra")

    @enter(snap=True)
    def warm(self):
        log.append("base warm")

    @enter
    def open(self):
        log.append("base open")

    @leave
    def bye(self):
        log.append("base bye")

    @method
    def work(self):
        return "base"


class Derived(Base):
    name: str = Parameter()
    later: list = Parameter(init=False)

    @enter
    async def apple(self):
        await asyncio.sleep(0)
        log.append("derived apple")

    @enter
    def zebra(self):
        log.append("derived zebra")

    @enter(snap=True)
    def second(self):
        log.append("derived second")

    @leave
    async def farewell(self):
        log.append("derived farewell")

    @method
    def work(self):
        return "derived over " + super().work()

    @method
    async def wait(self):
        return self.name

    @method
    def count(self):
        yield 1

    @method(is_generator=True)
    def handmade(self):
        return iter(())

    @method(max_batch_size=4, wait_ms=10)
    def many(self, xs):
        return xs
