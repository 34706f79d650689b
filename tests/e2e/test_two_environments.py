"""Two notebooks in two virtual environments: one supervisor, and each container runs its own interpreter."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.e2e.home import command, until
from tests.e2e.notebook import Notebook

CLASS = """
import os, sys
import modal_nb as modal
app = modal.App("environments")

@app.cls(max_containers=1)
class Where:
    @modal.method()
    def am_i(self):
        return sys.prefix, sys.executable, os.environ["MODAL_TASK_ID"]

    @modal.method()
    def only(self):
        import only_in_this_environment
        return only_in_this_environment.NAME
"""


def make_environment(folder: Path) -> Path:
    """A virtual environment that sees what is installed here, without a network."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    python = folder / "bin" / "python"
    paths = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", vars=paths))
    here = [sysconfig.get_path("purelib"), str(Path(__file__).parents[2])]
    # `site` and not plain paths: an editable install is itself a .pth file
    (packages / "shared.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in here)
    )
    (packages / "only_in_this_environment.py").write_text(f"NAME = {folder.name!r}\n")
    return python


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("environments")
    return {name: make_environment(folder / name) for name in ("red", "blue")}


def test_one_supervisor_and_each_container_its_own_interpreter(home, tmp_path, environments):
    red, blue = environments["red"], environments["blue"]
    with Notebook(tmp_path, python=str(red)) as one, Notebook(tmp_path, python=str(blue)) as two:
        for notebook in (one, two):
            notebook.run(CLASS)
        first = one.value("Where().am_i.remote()")
        second = two.value("Where().am_i.remote()")
        assert first[:2] == (str(red.parents[1]), str(red))
        assert second[:2] == (str(blue.parents[1]), str(blue))
        assert first[0] == one.value("sys.prefix")
        assert one.value("Where().only.remote()") == "red"
        assert two.value("Where().only.remote()") == "blue"
        status = home.status()
        assert {app.client_pid for app in status.apps} == {one.pid, two.pid}
        assert home.ids("Where") == {first[2], second[2]}
        supervisors = [process.pid for process in home.living() if "modal_nb.supervisor" in command(process)]
        assert supervisors == [status.pid]
        one.shutdown()
        until(lambda: home.ids("Where") == {second[2]})
        assert two.value("Where().am_i.remote()") == second
