"""What stands for something that containers serve, told apart from the plain functions and classes of the user."""

from __future__ import annotations


class Handle:
    """A mixin of all that stands for something served; decorators that need plain Python refuse it."""

    __slots__ = ()
