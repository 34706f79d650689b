"""``python -m modal_nb.container``: the process of one container, started by its provisioner."""

from __future__ import annotations

import sys

from modal_nb.container.launcher import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
