"""``modal-nb doctor``: what this machine can do, and how to get the rest."""

from __future__ import annotations

import typer

from modal_nb.cli.output import Json, commands, doing, print_json, print_table
from modal_nb.cli.probes import home, isolation, machine, python
from modal_nb.cli.probes.finding import Probe, State, run_all

command = commands()

PROBES: list[tuple[str, Probe]] = [
    ("python", python.interpreters),
    ("modal_nb", python.needed_packages),
    ("packages", python.other_packages),
    ("pid namespaces", isolation.process_namespaces),
    ("podman", isolation.podman),
    ("docker", isolation.docker),
    ("bwrap, unshare", isolation.sandboxes),
    ("ssh", isolation.ssh),
    ("gpu", isolation.graphics),
    ("cores", machine.cores),
    ("memory", machine.memory),
    ("open files", machine.open_files),
    ("processes", machine.processes),
    ("shared memory", machine.shared_memory),
    ("home", home.folder),
    ("file system", home.disk),
    ("settings", home.settings),
    ("supervisor", home.supervisor),
    ("store", home.store),
]

_STYLES: dict[str, str] = {State.OK: "green", State.MISSING: "yellow", State.PROBLEM: "red"}


@command.command()
def doctor(*, json: Json = False) -> None:
    """Look at this machine: what modal_nb needs, what it could use, and how to get what is missing.

    Changes nothing. Exit code 1 if something that modal_nb itself needs is broken.
    """
    with doing("Looking"):
        found = run_all(PROBES)
    if json:
        print_json(found)
    else:
        rows: list[tuple[str, ...]] = []
        for one in found:
            rows.append((one.state, one.what, one.found))
            if one.remedy:
                rows.append(("", "", f"-> {one.remedy}"))
        print_table(["", "what", "found"], rows, whole=["found"], styles=_STYLES)
    if any(one.needed and one.state is not State.OK for one in found):
        raise typer.Exit(1)
