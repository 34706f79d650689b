"""Take pictures of the panel's states: `python labextension/look.py [FOLDER]` (needs playwright and Chromium)."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, MIDDLE, NARROW = 1000, 660, 360


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/labextension/preview.html"
    finally:
        server.shutdown()
        server.server_close()


def wrong_input(page: Page) -> None:
    """Words in one field, a floor above the cap in another."""
    page.get_by_label("buffer_containers", exact=True).fill("some")
    page.get_by_label("buffer_containers", exact=True).press("Enter")
    page.get_by_label("min_containers", exact=True).fill("9")
    page.get_by_label("min_containers", exact=True).press("Enter")


def refused(page: Page) -> None:
    page.get_by_label("max_containers", exact=True).fill("40")
    page.get_by_label("max_containers", exact=True).press("Enter")
    page.get_by_role("button", name="Drain ct-33").click()
    page.get_by_role("button", name="Start one").click()
    page.get_by_text("max_containers=40 needs").first.wait_for()


def waiting(page: Page) -> None:
    page.get_by_label("raise max_containers").click(click_count=3)
    page.get_by_role("button", name="Drain ct-33").click()
    page.get_by_role("button", name="Start one").click()
    page.get_by_role("button", name="Kill ct-38").click()
    page.get_by_text("Waits for the running cell").first.wait_for()


def hovered(page: Page) -> None:
    page.locator(".mnb-plot").first.hover()
    page.wait_for_timeout(2000)


def nothing(page: Page) -> None:
    page.wait_for_timeout(600)


def slept(page: Page) -> None:
    page.get_by_text("Not live").wait_for()


#: name of the picture: scene, theme, width, and what is done first
PICTURES: dict[str, tuple[str, str, int, Callable[[Page], None]]] = {
    "light": ("still", "light", WIDE, nothing),
    "dark": ("still", "dark", WIDE, nothing),
    "live": ("busy", "dark", WIDE, hovered),
    "middle": ("still", "light", MIDDLE, nothing),
    "narrow": ("still", "light", NARROW, nothing),
    "narrow-dark": ("still", "dark", NARROW, nothing),
    "no-theme": ("still", "none", WIDE, nothing),
    "idle": ("idle", "light", WIDE, nothing),
    "empty": ("empty", "light", WIDE, nothing),
    "loading": ("loading", "light", WIDE, nothing),
    "lost": ("lost", "dark", WIDE, nothing),
    "ended": ("ended", "light", WIDE, nothing),
    "asleep": ("asleep", "light", WIDE, slept),
    "wrong": ("still", "light", WIDE, wrong_input),
    "refused": ("error", "dark", WIDE, refused),
    "pending": ("pending", "light", WIDE, waiting),
    "pending-narrow": ("pending", "dark", NARROW, waiting),
    "modes": ("modes", "light", WIDE, nothing),
    "modes-dark": ("modes", "dark", WIDE, nothing),
    "modes-middle": ("modes", "light", MIDDLE, nothing),
    "modes-narrow": ("modes", "dark", NARROW, nothing),
    "held": ("held", "light", WIDE, nothing),
    "held-narrow": ("held", "dark", NARROW, nothing),
    "several": ("several", "dark", WIDE, nothing),
    "several-narrow": ("several", "light", NARROW, nothing),
    "fifty": ("fifty", "light", WIDE, hovered),
    "fifty-dark-middle": ("fifty", "dark", MIDDLE, nothing),
    "hostile": ("hostile", "light", WIDE, nothing),
    "hostile-narrow": ("hostile", "dark", NARROW, nothing),
    "app": ("app", "dark", WIDE, nothing),
    "deployed": ("deployed", "light", WIDE, nothing),
    "absent": ("absent", "light", WIDE, nothing),
    "everything": ("everything", "light", WIDE, nothing),
    "everything-narrow": ("everything", "dark", NARROW, nothing),
}


def listen(page: Page, said: list[str]) -> None:
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))


def main(folder: Path, names: list[str]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with served() as address, sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for name in names or PICTURES:
            scene, theme, width, act = PICTURES[name]
            page = browser.new_page(viewport={"width": width, "height": 700})
            said: list[str] = []
            listen(page, said)
            page.goto(f"{address}?scene={scene}&theme={theme}")
            act(page)
            page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            said += [f"{over} px too wide"] * (over > 0)
            said += ["something was executed"] * bool(page.evaluate("globalThis.pwned"))
            wrong += bool(said)
            sys.stdout.write(" ".join([name, *said]) + "\n")
            page.close()
        browser.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "out" / "look"), sys.argv[2:]))
