"""Ids are a prefix and a number."""

from __future__ import annotations

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec.ids import Kind, parse, render


@pytest.mark.parametrize("kind", list(Kind))
def test_an_id_reads_back_as_what_it_names(kind):
    assert parse(render(kind, 17)) == (kind, 17)


def test_ids_have_modals_prefixes():
    assert [render(kind, 1) for kind in (Kind.APP, Kind.FUNCTION_CALL, Kind.POOL)] == ["ap-1", "fc-1", "fu-1"]


@pytest.mark.parametrize("text", ["", "ct", "ct-", "ct-x", "zz-1", "ct--1", "ct-\u0661"])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(InvalidError, match="is not an id"):
        parse(text)
