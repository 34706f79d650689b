"""Every error that modal_nb raises, in one tree; names that Modal has are Modal's.

Who is at fault is in the type: ``InvalidError`` is the caller's declaration or call, ``RemoteError`` and
its children are containers, ``ConnectionError`` and ``InternalFailure`` are modal_nb and the machine. All
can be pickled.
"""

from __future__ import annotations


class Error(Exception):
    """Base of all errors of modal_nb; ``modal_nb.Error`` catches each of them."""


# ---- what the caller declared or asked for -----------------------------------------------------------------


class InvalidError(Error):
    """A declaration or a call breaks a rule; the message names the option, the value and the remedy."""


class UsageError(InvalidError, TypeError):
    """Called in a form that does not exist, such as a decorator without its parentheses."""


class UnsupportedOptionError(InvalidError):
    """A valid option that the chosen back end cannot honour; raised before anything is launched."""


class LocalFunctionError(InvalidError):
    """A function or class inside a function is not found by name; rare here, classes travel by value."""


class VersionError(Error):
    """Two sides run versions that do not fit each other."""


class NotFoundError(Error):
    """Something looked up by name does not exist."""


class NotFoundAttributeError(NotFoundError, AttributeError):
    """A looked-up class has no such method; also an AttributeError, so that ``hasattr`` works."""


class AlreadyExistsError(Error):
    """Something of that name exists and was to be made."""


class ConflictError(InvalidError):
    """The thing is in a state that does not allow the call."""


class AuthError(Error):
    """The other side did not accept who is calling."""


class PermissionDeniedError(Error):
    """The caller may not do this."""


class RequestSizeError(Error):
    """A message is larger than can be sent."""


class ResourceExhaustedError(Error):
    """A bound is reached: of the queue, the machine or a store."""


class QueueFullError(ResourceExhaustedError):
    """A pool holds as many waiting inputs as it may; send fewer at a time or raise the bound."""


# ---- calls and containers ----------------------------------------------------------------------------------


class ExecutionError(Error):
    """A call cannot be run or its outcome cannot be shown here, such as when the app is not running."""


class AppStoppedError(ExecutionError):
    """The app ended while the input waited or ran."""


class DeadlockError(ExecutionError):
    """A call from inside a container can never start, because containers of full pools wait for each other."""


class RemoteError(Error):
    """Something failed on the container's side and there is no exception of the user's code to raise."""


class InputCancelledError(RemoteError):
    """The input was cancelled before it had an outcome; what its caller gets."""


class ContainerCrashedError(RemoteError):
    """Containers died under this input until its crash budget was spent; the message names the cause."""


class OutOfMemoryError(ContainerCrashedError):
    """The container was killed because memory ran out."""


class StartFailedError(RemoteError):
    """Containers of the pool failed to start: the launch, an import or an enter hook."""


class TimeoutError(Error):
    """Base of the timeouts of modal_nb; not Python's ``TimeoutError``."""


class FunctionTimeoutError(TimeoutError):
    """An input ran longer than the ``timeout`` of its class."""


class StartupTimeoutError(TimeoutError):
    """A container took longer than ``startup_timeout`` to boot, import and enter."""


class OutputExpiredError(TimeoutError):
    """The result of the call is no longer kept."""


class InternalFailure(Error):
    """modal_nb itself failed; the call may be made again."""


class InputCancellation(BaseException):
    """Raised inside a running method when its input is cancelled.

    A BaseException, so that ``except Exception`` lets it by.
    """


# ---- bytes and connections ---------------------------------------------------------------------------------


class SerializationError(Error):
    """A value cannot be turned into bytes."""


class DeserializationError(Error):
    """Bytes cannot be turned into a value here."""


class DataLossError(Error):
    """Something that was stored cannot be read again."""


class ConnectionError(Error):
    """The supervisor cannot be reached or the connection broke."""


class ClientClosed(Error):
    """The connection was closed by this side; the call came too late."""


class ServiceError(Error):
    """The other side answered that it cannot serve the request now."""


# ---- warnings ----------------------------------------------------------------------------------------------


class DeprecationError(UserWarning):
    """An old spelling.

    A UserWarning class: raised where the spelling is gone, warned where it still works.
    """


class PendingDeprecationError(UserWarning):
    """An old spelling that still works."""


class ServerWarning(UserWarning):
    """The supervisor wants the user to know something."""


class AsyncUsageWarning(UserWarning):
    """A blocking call where an awaited one was meant."""
