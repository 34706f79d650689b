"""``python -m modal_nb.cli``: where the script is not on PATH."""

from __future__ import annotations

from modal_nb.cli import main

if __name__ == "__main__":
    main()
