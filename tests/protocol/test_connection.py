"""Folders and files that hold keys are closed to others, and a torn file is no connection."""

from __future__ import annotations

import stat

import pytest

from modal_nb.protocol.connection import (
    Connection,
    UnsafeFolder,
    places,
    private_folder,
    read_connection,
    write_connection,
)

CONNECTION = Connection(socket="/run/s", key="00", pid=1, version="1", protocol=1)


def test_a_connection_file_is_private_and_reads_back(tmp_path):
    path = tmp_path / "supervisor.json"
    write_connection(path, CONNECTION)
    assert read_connection(path) == CONNECTION
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["supervisor.json"]


@pytest.mark.parametrize("text", ["", "{", '{"socket": 1}'])
def test_a_file_that_makes_no_sense_is_no_connection(tmp_path, text):
    path = tmp_path / "supervisor.json"
    path.write_text(text)
    assert read_connection(path) is None


def test_no_file_is_no_connection(tmp_path):
    assert read_connection(tmp_path / "none.json") is None


def test_the_home_is_what_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    assert places().home == tmp_path


def test_a_long_home_gets_a_short_run_folder(tmp_path):
    deep = tmp_path / ("x" * 90)
    where = places(deep)
    assert len(str(where.socket)) < 100
    assert where.run == places(deep).run != places(tmp_path / ("y" * 90)).run


def test_folders_are_made_private(tmp_path):
    where = places(tmp_path / "home")
    where.make()
    assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in (where.home, where.run, where.logs))


def test_an_open_folder_is_closed(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    assert stat.S_IMODE(private_folder(folder).stat().st_mode) == 0o700


def test_a_link_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(UnsafeFolder, match="MODAL_NB_HOME"):
        private_folder(tmp_path / "link")
