"""Cells, environment, source folders."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from IPython.core.interactiveshell import InteractiveShell

from modal_nb.client import introspect
from modal_nb.client.introspect import cells_run, environment


def test_cells_are_counted_in_ipython_only(monkeypatch):
    monkeypatch.setattr(introspect, "_cells", introspect._Cells())
    monkeypatch.setattr(introspect, "shell_here", lambda: None)
    assert cells_run() == cells_run()
    shell = InteractiveShell(history_load_length=0)
    shell.history_manager.enabled = False
    monkeypatch.setattr(introspect, "shell_here", lambda: shell)
    counts = [cells_run(), cells_run()]
    shell.run_cell("1 + 1", store_history=False)
    counts.append(cells_run())
    shell.run_cell("fails =", store_history=False)
    counts.append(cells_run())
    assert counts[0] == counts[1] < counts[2] < counts[3]


def test_the_environment_is_the_callers_without_jupyters(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "lib", "/abs", "/abs"])
    for name in ("JPY_PARENT_PID", "JUPYTERHUB_API_TOKEN", "MODAL_NB_HOME", "JUPYTER_TOKEN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("MY_KEY", "kept")
    seen = environment()
    assert (seen.executable, seen.cwd) == (sys.executable, str(tmp_path))
    assert seen.sys_path == (str(tmp_path), str(tmp_path / "lib"), "/abs")
    assert seen.environ["MY_KEY"] == "kept"
    assert not {
        "JPY_PARENT_PID",
        "JUPYTERHUB_API_TOKEN",
        "MODAL_NB_HOME",
        "JUPYTER_TOKEN",
        "MPLBACKEND",
    } & set(seen.environ)
    monkeypatch.setenv("MPLBACKEND", "agg")
    assert environment().environ["MPLBACKEND"] == "agg"


def test_the_source_folder_can_be_left_out(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/abs"])
    assert environment(include_source=False).sys_path == ("/abs",)


def test_introspect_does_not_import_ipython():
    code = textwrap.dedent(
        """
        import sys
        from modal_nb.client import introspect
        introspect.cells_run()
        assert "IPython" not in sys.modules and "numpy" not in sys.modules
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)
