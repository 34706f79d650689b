"""The command line ``modal-nb``: a face like a notebook's, which asks by the client's ways and decides nothing.

``tree`` lists the commands; the module of a command is loaded when it is used, so that help and completion are quick.
Exit codes: 0; 1, an error of modal_nb or of the user's code; 2, misuse; 130, Ctrl-C. One line on stderr says why. Only
a terminal gets colours and boxes.
"""

from __future__ import annotations


def main() -> None:
    """The entry point ``modal-nb``."""
    try:
        from modal_nb.cli import tree  # noqa: PLC0415 - this door is passed by everyone who needs one of its modules

        code = tree.run()
    except KeyboardInterrupt:  # before anything of ours could catch it
        code = 130
    raise SystemExit(code)
