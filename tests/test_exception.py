"""One tree of errors, with Modal's names, that can travel."""

from __future__ import annotations

import builtins
import pickle

import pytest

from modal_nb import exception

ALL = [value for value in vars(exception).values() if isinstance(value, type)]
MODALS = [
    "Error",
    "InvalidError",
    "NotFoundError",
    "ExecutionError",
    "RemoteError",
    "TimeoutError",
    "FunctionTimeoutError",
    "OutputExpiredError",
    "SerializationError",
    "DeserializationError",
    "ConnectionError",
    "InternalFailure",
    "InputCancellation",
    "DeprecationError",
    "LocalFunctionError",
    "AuthError",
    "VersionError",
    "AlreadyExistsError",
]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_travels(kind):
    error = kind("what happened", 3)
    error.add_note("a note")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert back.args == error.args
    assert back.__notes__ == ["a note"]


def test_modals_names_are_there():
    assert [name for name in MODALS if not hasattr(exception, name)] == []


@pytest.mark.parametrize(
    "kind", [e for e in ALL if not issubclass(e, UserWarning | exception.InputCancellation)]
)
def test_one_base_catches_all(kind):
    assert issubclass(kind, exception.Error)


def test_a_cancellation_passes_except_exception():
    assert not issubclass(exception.InputCancellation, Exception)


def test_a_deprecation_can_be_raised_and_warned():
    assert issubclass(exception.DeprecationError, UserWarning)


def test_wrong_usage_is_also_a_type_error():
    assert issubclass(exception.UsageError, exception.InvalidError)
    assert issubclass(exception.UsageError, TypeError)


def test_a_method_that_is_not_found_is_also_an_attribute_error():
    assert issubclass(exception.NotFoundAttributeError, exception.NotFoundError)
    assert issubclass(exception.NotFoundAttributeError, AttributeError)


def test_modals_timeouts_are_not_pythons():
    assert not issubclass(exception.TimeoutError, builtins.TimeoutError)
    for kind in (exception.FunctionTimeoutError, exception.StartupTimeoutError, exception.OutputExpiredError):
        assert issubclass(kind, exception.TimeoutError)


def test_a_crash_is_a_remote_error():
    assert issubclass(exception.OutOfMemoryError, exception.ContainerCrashedError)
    assert issubclass(exception.ContainerCrashedError, exception.RemoteError)
