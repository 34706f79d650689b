"""Executes the first notebook headlessly and tells what it found. `make demo` is the command."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "01_first_cls.ipynb"
EXECUTED = ROOT / "out" / "demo" / NOTEBOOK.name
#: cells with this tag print what the demo repeats
TAG = "demo"
CELL_LIMIT_S = 300


def execute(notebook: nbformat.NotebookNode) -> None:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    number = {cell.id: at for at, cell in enumerate(cells, start=1)}

    def show(cell: nbformat.NotebookNode, **_: object) -> None:
        first = next((line for line in cell.source.splitlines() if line and not line.startswith("#")), "")
        print(f"  cell {number[cell.id]:2} of {len(cells)}: {first[:70]}", flush=True)

    # run in the notebook's own folder, as JupyterLab does
    client = NotebookClient(
        notebook,
        timeout=CELL_LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
        on_cell_execute=show,
    )
    try:
        client.execute()
    finally:
        EXECUTED.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, EXECUTED)


def findings(notebook: nbformat.NotebookNode) -> list[str]:
    """What the tagged cells printed."""
    return [
        line
        for cell in notebook.cells
        if TAG in cell.metadata.get("tags", [])
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
        for line in output.text.splitlines()
    ]


def main() -> int:
    start = time.monotonic()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    print(f"Executing {NOTEBOOK.relative_to(ROOT)} ...", flush=True)
    try:
        execute(notebook)
    except CellExecutionError as error:
        print(f"\nA cell failed; {EXECUTED.relative_to(ROOT)} shows it.\n{error}", file=sys.stderr)
        return 1
    print(f"Done in {time.monotonic() - start:.0f} s.\n")
    print("\n".join(findings(notebook)))
    lab = Path(sys.executable).parent / "jupyter"
    print(f"\nThe executed notebook: {EXECUTED.relative_to(ROOT)}")
    print(f"Open it in JupyterLab:  {os.path.relpath(lab)} lab {EXECUTED.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
