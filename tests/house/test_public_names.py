"""The table "public name -> test id" is whole and true."""

from __future__ import annotations

import pytest

from tests.house import public_names

pytestmark = pytest.mark.house


def test_every_public_name_has_a_row():
    missing = sorted(set(public_names.public_names()) - set(public_names.table()))
    assert not missing, "add them to tests/public_names.toml (python -m tests.house.public_names prints them)"


def test_every_row_is_about_a_public_name():
    assert not sorted(set(public_names.table()) - set(public_names.public_names()))


def test_every_row_names_a_test():
    assert not [name for name, tests in public_names.table().items() if not tests]


def test_every_test_id_of_the_table_exists():
    assert not [
        f"{name}: {test_id}"
        for name, tests in public_names.table().items()
        for test_id in tests
        if not public_names.is_a_test(test_id)
    ]


@pytest.mark.parametrize(
    ("test_id", "exists"),
    [
        ("tests/house/test_public_names.py::test_the_check_itself[x]", True),
        ("tests/house/test_public_names.py::test_that_nobody_wrote", False),
        ("tests/house/no_such_file.py::test_the_check_itself", False),
        ("tests/house/test_public_names.py", False),
    ],
)
def test_the_check_itself(test_id, exists):
    assert public_names.is_a_test(test_id) is exists
