"""A card is one look and inert, whatever the texts in it are."""

from __future__ import annotations

import re

import pytest

from modal_nb.client.cards import Card, Row
from modal_nb.views import cards
from tests.views.hostile import STRINGS
from tests.views.test_render import Reader

ALLOWED = {"div", "p", "strong", "bdi", "br", "table", "tbody", "tr", "th", "td"}
ATTRIBUTES = {"class", "role", "aria-label", "style", "scope"}


def card(text, lines=1):
    rows = (Row("methods", (text,) * lines), Row("state", (text,), code=False))
    return Card("Cls", text, rows, text)


@pytest.mark.parametrize("hostile", STRINGS, ids=range(len(STRINGS)))
def test_a_hostile_string_is_text_everywhere(hostile):
    page = cards.page(card(hostile))
    read = Reader(page)
    assert set(read.tags) <= ALLOWED
    assert read.open == []
    assert {name for name, _ in read.attributes} <= ATTRIBUTES
    assert read.attributes == Reader(cards.page(card("plain"))).attributes
    assert not {letter for letter in page if ord(letter) < 32 or letter in "\u202e\u2066\u200b$`"}
    assert len(page) < 12_000


def test_it_is_a_group_with_row_headings_for_screen_readers():
    page = cards.page(card("text"))
    assert page.startswith('<div class="tex2jax_ignore mathjax_ignore" role="group" aria-label="Cls"')
    assert page.count('<th scope="row"') == 2


def test_its_colours_are_those_of_the_page_around_it():
    styles = ";".join(value for name, value in Reader(cards.page(card("text"))).attributes if name == "style")
    assert "var(--jp-border-color2, currentColor)" in styles
    assert not re.search(r"#[0-9a-f]{3}|rgb|(?<!-)color:", styles)
    assert "overflow-wrap:anywhere" in styles


def test_a_row_of_very_many_lines_is_cut_with_a_word():
    assert "<bdi>and 1,970 more</bdi>" in cards.page(card("text", 2000))


def test_what_is_not_there_takes_no_room():
    page = cards.page(Card("Function", "f", ()))
    assert "table" not in page.replace("table-layout", "")
    assert page.count("<p ") == 1
