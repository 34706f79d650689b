"""A command line that does not fit: one sentence, exit code 2."""

from __future__ import annotations


class Misuse(Exception):
    """Raised by commands for what click could not know; the sentence names the argument and the remedy."""
