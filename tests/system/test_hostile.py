"""Text that tries to be more: labextension/hostile.js in every place where a report has text, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labextension.look import MIDDLE, NARROW, WIDE, served
from tests.system.panel_page import PanelPart

pytestmark = pytest.mark.system

STRINGS = 60
#: what no report may bring into the page; the panel itself has none of these
ELEMENTS = (
    "script, img, iframe, style, link, meta, base, math, details, video, object, embed, form, a, h1, b, table, "
    "foreignObject, animate, use, [onerror], [onload], [onclick], [onmouseover], [onfocus], [href], [src], [style*=url]"
)
#: 60 pools: each string once as each kind of text, beside others
POOLS = """async () => {
  const { HOSTILE } = await import("./hostile.js");
  const { container, pool } = await import("./simulation.js");
  const at = (index) => HOSTILE[index % HOSTILE.length];
  const states = ["starting", "entering", "draining", "busy", "dead"];
  const pools = HOSTILE.map((text, index) => pool({
    pool: index + 1, service: text, parameters: at(index + 1), why: at(index + 4),
    app: { id: at(index + 2), name: at(index + 3) },
    state: index % 4 ? "running" : text,
    batching: [{ method: at(index + 5), max_batch_size: 2, wait_ms: 1 }],
    containers: states.map((state, place) => container(`${at(index + place)} ${index}`, {
      pool: index + 1, state, cause: at(index + 6), reason: place % 2 ? at(index + 7) : "", phase: at(index + 8),
      running: 1, inputs: 1, ended: state === "dead" ? 999 : null, trail: [[900, at(index + 9)]],
    })),
  }));
  model.heard = null;
  model.set({ pools, connection: "connected", message: "" });
  return HOSTILE.length;
}"""
#: one string after the other as the sentence of a banner
BANNERS = """async () => {
  const { HOSTILE } = await import("./hostile.js");
  const { pool } = await import("./simulation.js");
  model.heard = null;
  const banner = document.querySelector(".mnb-banner");
  for (const message of HOSTILE) {
    for (const connection of ["lost", "ended", "connected"]) {
      model.set({ pools: [pool()], connection, message });
      await new Promise(requestAnimationFrame);
      if (banner.hidden || banner.childElementCount) return [connection, message];
    }
  }
  return HOSTILE.length;
}"""
#: each of 60 pools has its string as the answer to a field and to a button
REFUSALS = """async () => {
  const { HOSTILE } = await import("./hostile.js");
  const { container, pool } = await import("./simulation.js");
  const pools = HOSTILE.map((_, index) => pool({ pool: index + 1, containers: [container(`ct-${index}`)] }));
  model.heard = ({ type, id, pool }) => {
    if (type === "command") model.push({ type: "answer", id, ok: false, error: HOSTILE[pool - 1] });
  };
  model.set({ pools, connection: "connected", message: "" });
  await new Promise(requestAnimationFrame);
  const buttons = '[aria-label="raise max_containers"], [aria-label^="Drain ct-"]';
  for (const one of document.querySelectorAll(buttons)) one.click();
  return HOSTILE.length;
}"""
SCENE = """async () => {
  const { SCENES } = await import("./scenes.js");
  model.heard = null;
  model.set(SCENES.hostile().report);
}"""
#: whatever listens for the pointer or the focus gets them
TOUCH = """panel => {
  const kinds = ["mouseover", "mouseenter", "focus", "toggle", "error", "load"];
  for (const one of panel.querySelectorAll("*")) {
    for (const kind of kinds) one.dispatchEvent(new Event(kind));
  }
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as found:
        yield found


@pytest.fixture
def preview(page: Page, address: str) -> Iterator[Page]:
    """The panel before any report; at the end nothing may have happened but what the panel does by itself."""
    happened: list[Any] = []
    page.goto(f"{address}?scene=empty&theme=light")
    expect(page.locator(".mnb-blank")).to_be_visible()
    # the strings are in a file of the page's own server that the page has; nothing may be asked for from now on
    page.on("request", lambda request: happened.append(request.url))
    page.on("dialog", lambda dialog: (happened.append(dialog.type), dialog.dismiss()))
    page.on("pageerror", lambda error: happened.append(str(error)))
    page.on("framenavigated", lambda frame: happened.append(frame.url))
    page.on("popup", lambda popup: happened.append(popup.url))
    page.on("console", lambda said: said.type in {"error", "warning"} and happened.append(said.text))
    yield page
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    assert page.evaluate("globalThis.pwned ?? null") is None
    assert page.evaluate("Object.keys(Object.prototype).length + Object.keys(Array.prototype).length") == 0
    assert happened == []


def test_text_of_reports_stays_text_and_inside(preview: Page):
    assert preview.evaluate(POOLS) == STRINGS
    panel = PanelPart(preview.locator(".mnb-panel"))
    expect(panel.root.locator(".mnb-pool")).to_have_count(STRINGS)
    expect(panel.rows("busy")).to_have_count(STRINGS)
    assert_harmless(panel)


def test_a_list_of_containers_with_such_names_and_causes_stays_text_and_inside(preview: Page):
    preview.evaluate(SCENE)
    panel = PanelPart(preview.locator(".mnb-panel"))
    for more in ("Show all 20", "Show all 40"):
        panel.root.get_by_role("button", name=more).click()
    expect(panel.dead()).to_have_count(40)
    assert_harmless(panel)


def test_sentences_of_a_banner_stay_text_and_inside(preview: Page):
    assert preview.evaluate(BANNERS) == STRINGS
    assert_harmless(PanelPart(preview.locator(".mnb-panel")))


def test_sentences_of_refusals_stay_text_and_inside(preview: Page):
    assert preview.evaluate(REFUSALS) == STRINGS
    panel = PanelPart(preview.locator(".mnb-panel"))
    expect(panel.root.locator('.mnb-field[data-kind="error"]')).to_have_count(STRINGS)
    expect(panel.root.locator('.mnb-below[data-kind="error"]:visible')).to_have_count(STRINGS)
    assert_harmless(panel)


def assert_harmless(panel: PanelPart) -> None:
    """No element of a report, and nothing sticks out sideways: in both themes and in three widths."""
    panel.root.evaluate(TOUCH)
    expect(panel.root.locator(ELEMENTS)).to_have_count(0)
    page = panel.root.page
    for theme in ("light", "dark"):
        page.evaluate(
            "light => { document.body.dataset.jpThemeLight = light; }", str(theme == "light").lower()
        )
        for width in (WIDE, MIDDLE, NARROW):
            page.set_viewport_size({"width": width, "height": 900})
            panel.assert_holds()
