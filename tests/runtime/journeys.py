"""What the tests of exceptions share."""

from __future__ import annotations

import json
import traceback

from modal_nb.runtime.failures import dump_failure, load_failure


def raised(make):
    """The exception that ``make`` raises."""
    try:
        make()
    except BaseException as error:
        return error
    raise AssertionError


def travel(error):
    """The exception after its journey, as JSON and bytes."""
    content, frames = dump_failure(error)
    return load_failure(json.loads(json.dumps(content)), [bytes(frame) for frame in frames])


def printed(error):
    return "".join(traceback.format_exception(error))
