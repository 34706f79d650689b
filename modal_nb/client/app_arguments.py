"""The arguments of an app and of its verbs: the rules that need no app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modal_nb.exception import InvalidError


def checked_tags(tags: Any) -> dict[str, str]:
    if tags is None:
        return {}
    if not isinstance(tags, Mapping) or not all(isinstance(x, str) for pair in tags.items() for x in pair):
        raise InvalidError(f"`tags` must be a dict of str to str, not {tags!r}")
    return dict(tags)


def leave_out(call: str, **options: Any) -> None:
    """InvalidError for options that no version so far does anything with."""
    for option, value in options.items():
        if value is not None and value is not False:
            sentence = f"app.{call}({option}={value!r}) is not supported by this version of modal_nb"
            raise InvalidError(f"{sentence}: leave it out")
