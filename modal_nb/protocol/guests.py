"""The names of what a container serves beside the methods of the user's class: no method can have them."""

#: a cell that is run in the container; its one argument is the code
from __future__ import annotations

CELL = "%%container"
#: the same for a cell that awaits
COROUTINE_CELL = "%%container await"
#: a debugger on an input that failed; its arguments are the input's id and seconds without a command that end it
POST_MORTEM = "%debug"
