"""Cards in a real browser: text stays text and inside, in both themes and in narrow cells."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from modal_nb.client.cards import Card, Row
from modal_nb.views import cards
from tests.views.hostile import STRINGS

pytestmark = pytest.mark.system

ROWS = (
    Row("methods", tuple(STRINGS[:30])),
    Row("options", tuple(STRINGS[30:])),
    Row("state", ("done",), code=False),
)
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: {ground}; color: {text}; font: 13px sans-serif;
--jp-border-color2: {border}; }}</style>{card}"""
THEMES = {
    "light": {"ground": "#fff", "text": "#111", "border": "#bbb"},
    "dark": {"ground": "#111", "text": "#eee", "border": "#555"},
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1000, 280])
def test_text_of_a_card_stays_text_and_inside(page: Page, theme: str, width: int):
    happened: list[str] = []
    page.on("dialog", lambda dialog: (happened.append(dialog.type), dialog.dismiss()))
    page.on("request", lambda request: happened.append(request.url))
    page.on("pageerror", lambda error: happened.append(str(error)))
    page.set_viewport_size({"width": width, "height": 800})
    for name in STRINGS:
        shown = cards.page(Card("Cls", name, ROWS, name))
        page.set_content(PAGE.format(card=shown, **THEMES[theme]))
        assert (
            page.evaluate("document.querySelectorAll('[role=group] :not(p, strong, bdi, br)').length") == 11
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.evaluate("getComputedStyle(document.querySelector('td')).color")
        assert colour == page.evaluate("getComputedStyle(document.body).color")
    assert happened == []


def test_a_screen_reader_finds_a_group_with_named_rows(page: Page):
    page.set_content(cards.page(Card("FunctionCall", "fc-1", ROWS)))
    group = page.get_by_role("group", name="FunctionCall")
    assert group.get_by_role("rowheader").all_inner_texts() == ["methods", "options", "state"]
