"""A file aims at 150 lines and does not pass 300 (of tests: 400); a function aims at 10 and does not pass 50."""

from __future__ import annotations

import pytest

from tests.house.tree import files, functions, length_without_docstring, name_of

pytestmark = pytest.mark.house

FILE_AIM, FILE_MOST, TEST_FILE_MOST, FUNCTION_MOST = 150, 300, 400, 50


def test_no_file_passes_300_lines(capsys):
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    over_aim = sum(size > FILE_AIM for name, size in sizes.items() if name.startswith("modal_nb"))
    print(f"{over_aim} files of modal_nb are over the aim of {FILE_AIM} lines")
    too_long = {
        name: size
        for name, size in sizes.items()
        if size > (TEST_FILE_MOST if name.startswith("tests") else FILE_MOST)
    }
    assert not too_long, "is one of them two rooms?"


def test_no_function_passes_50_lines():
    too_long = {
        f"{name_of(path)}:{function.lineno} {function.name}": length
        for path in files()
        for function in functions(path)
        if (length := length_without_docstring(function)) > FUNCTION_MOST
    }
    assert not too_long
