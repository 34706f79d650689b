"""Volumes, buckets and network file systems, and where they may be mounted."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec import storage
from modal_nb.spec.secret import Secret
from modal_nb.spec.storage import CloudBucketMount, NetworkFileSystem, Volume

DATA = Volume.from_name("data")


def test_mounts_are_pairs_sorted_by_path():
    bucket = CloudBucketMount("b")
    assert storage.volumes({"/z": DATA, PurePosixPath("/a/"): bucket}) == (("/a", bucket), ("/z", DATA))


@pytest.mark.parametrize("path", ["data", "./data", "/data/../x", ""])
def test_paths_are_absolute_and_canonical(path):
    with pytest.raises(InvalidError, match="`volumes` has the path"):
        storage.volumes({path: DATA})


@pytest.mark.parametrize("path", ["/", "//", "/root", "/tmp", "/tmp/"])
def test_a_container_keeps_its_own_places(path):
    with pytest.raises(InvalidError, match="`volumes` cannot be mounted at"):
        storage.volumes({path: DATA})


@pytest.mark.parametrize("wrong", ["data", None, NetworkFileSystem.from_name("n"), Volume])
def test_only_volumes_and_buckets_are_mounted(wrong):
    with pytest.raises(InvalidError, match=r"give a modal_nb.Volume or a modal_nb.CloudBucketMount"):
        storage.volumes({"/data": wrong})


def test_a_list_is_no_mapping_of_paths():
    with pytest.raises(InvalidError, match="`volumes` must be a dict of paths"):
        storage.volumes(["/data"])


def test_one_volume_has_one_path_however_it_is_mounted():
    with pytest.raises(InvalidError) as caught:
        storage.volumes({"/a": DATA, "/b": Volume.from_name("data").read_only()})
    assert "The same Volume 'data' cannot be mounted at two paths ('/a' and '/b')" in str(caught.value)


def test_two_volumes_have_two_paths():
    assert len(storage.volumes({"/a": DATA, "/b": Volume.from_name("other")})) == 2


def test_network_file_systems_have_the_same_rules():
    legacy = NetworkFileSystem.from_name("n")
    assert storage.network_file_systems({"/n": legacy}) == (("/n", legacy),)
    with pytest.raises(InvalidError, match=r"give a modal_nb.NetworkFileSystem"):
        storage.network_file_systems({"/n": DATA})
    with pytest.raises(InvalidError, match="`network_file_systems` has the path 'n'"):
        storage.network_file_systems({"n": legacy})


@pytest.mark.parametrize("make", [Volume.from_name, NetworkFileSystem.from_name])
@pytest.mark.parametrize("name", ["", "a b", "x" * 65, 3, None, "a/b"])
def test_names_are_checked(make, name):
    with pytest.raises(InvalidError, match=r"Invalid .* name"):
        make(name)


def test_mount_options_leave_the_volume_as_it_was():
    changed = DATA.with_mount_options(read_only=True, sub_path="x")
    assert (changed.is_read_only, changed.sub_path) == (True, "x")
    assert (DATA.is_read_only, DATA.sub_path) == (False, None)


def test_ephemeral_volumes_are_all_different():
    with Volume.ephemeral() as one, Volume.ephemeral() as two:
        assert one.identity != two.identity


def test_a_bucket_checks_itself():
    CloudBucketMount("b", key_prefix="x/", secret=Secret.from_dict({}), requester_pays=True)
    with pytest.raises(InvalidError, match="`key_prefix` must end with '/'"):
        CloudBucketMount("b", key_prefix="x")
    with pytest.raises(InvalidError, match="`requester_pays` needs `secret`"):
        CloudBucketMount("b", requester_pays=True)
