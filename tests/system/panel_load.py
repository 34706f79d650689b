"""What a panel costs its page: `python -m tests.system.panel_load` (`make panel-load`).

50 containers are fed 1,000 inputs a second while their panel, all its rows unfolded, is in view in JupyterLab. Prints
how much of a minute the page's main thread spent in long tasks (over 50 ms), and how many DOM nodes there are after
one minute and after ``--minutes``. Exit status 1 if a bound is passed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import CDPSession, sync_playwright

from tests.system.lab import Lab, chromium, running_lab, status
from tests.system.panel_page import NotebookPage, PanelPart

CONTAINERS, RATE = 50, 1000
MOST_LONG, MOST_GROWTH = 0.05, 1.1
START_MS, MINUTE_MS = 180_000, 60_000
#: the machine need not have a core for each: they are idle most of the time
MACHINE = {
    "MODAL_NB_MAX_CONTAINERS": "60",
    "MODAL_NB_MAX_CPU": "100",
    "MODAL_NB_MAX_MEMORY": "100000",
}
DEFINE = f"""
import asyncio, time
import modal_nb as modal
app = modal.App("load")

@app.cls(min_containers={CONTAINERS}, max_containers={CONTAINERS}, scaledown_window=3600)
class Load:
    @modal.method()
    def same(self, x):
        return x

load = Load()

async def feed(batch={RATE} // 10):
    began, sent = time.monotonic(), 0
    while True:
        async for _ in load.same.map.aio(range(batch)):
            pass
        sent += batch
        # what could not be sent in time is not made up for later
        ahead = began + sent / {RATE} - time.monotonic()
        began -= min(ahead, 0)
        await asyncio.sleep(max(ahead, 0.001))
"""
FEED = f"""
await load.same.remote.aio(0)  # the first call opens the pool
await load.wait_for.aio(containers={CONTAINERS}, state="idle", timeout=170)
feeding = asyncio.create_task(feed())
"""
WATCH = """() => {
  globalThis.longTasks = { spent: 0, count: 0, longest: 0, since: performance.now() };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      longTasks.spent += duration;
      longTasks.count += 1;
      longTasks.longest = Math.max(longTasks.longest, duration);
    }
  }).observe({ type: "longtask" });
}"""
READ = "() => ({ ...longTasks, over: performance.now() - longTasks.since })"


@dataclass(frozen=True, slots=True)
class Sample:
    """How it was at one moment."""

    at: float
    served: int
    nodes: int
    heap: int

    @classmethod
    def taken(cls, lab: Lab, devtools: CDPSession) -> Sample:
        served = sum(one["served"] for one in status(lab, "Load")["containers"])
        at = time.monotonic()
        # what is only not collected yet is no growth
        devtools.send("HeapProfiler.collectGarbage")
        nodes = devtools.send("Memory.getDOMCounters")["nodes"]
        heap = devtools.send("Runtime.getHeapUsage")["usedSize"]
        return cls(at, served, nodes, int(heap))

    def rate_to(self, later: Sample) -> float:
        return (later.served - self.served) / (later.at - self.at)


def opened(page: NotebookPage) -> PanelPart:
    """The panel with all rows, fed."""
    page.open([DEFINE, "load", FEED])
    page.run(0, 1)
    page.begin(2)
    page.finish(2, START_MS)
    panel = page.panel(1)
    panel.root.get_by_role("button", name=f"Show all {CONTAINERS}").click()
    panel.await_rows(CONTAINERS)
    panel.root.scroll_into_view_if_needed()
    return panel


def measured(lab: Lab, page: NotebookPage, minutes: float) -> bool:
    """Prints the figures; whether they are within the bounds."""
    panel = opened(page)
    devtools = page.page.context.new_cdp_session(page.page)
    page.page.evaluate(WATCH)
    start = Sample.taken(lab, devtools)
    page.page.wait_for_timeout(MINUTE_MS)
    long = page.page.evaluate(READ)
    first = Sample.taken(lab, devtools)
    share = long["spent"] / long["over"]
    print(
        f"inputs answered: {start.rate_to(first):.0f}/s over {first.at - start.at:.0f} s, {CONTAINERS} containers"
    )
    print(
        f"long tasks: {share:.2%} of the main thread (at most {MOST_LONG:.0%}): {long['count']} of them, "
        f"the longest {long['longest']:.0f} ms, over {long['over'] / 1000:.0f} s"
    )
    page.page.wait_for_timeout((minutes - 1) * MINUTE_MS)
    last = Sample.taken(lab, devtools)
    panel.await_rows(CONTAINERS)
    growth = last.nodes / first.nodes
    print(f"inputs answered: {first.rate_to(last):.0f}/s over the rest")
    print(f"DOM nodes: {first.nodes} after 1 minute, {last.nodes} after {minutes:g}:", end=" ")
    print(f"{growth:.3f} times as many (at most {MOST_GROWTH})")
    print(f"JavaScript heap: {first.heap >> 20} MiB after 1 minute, {last.heap >> 20} MiB after {minutes:g}")
    return share < MOST_LONG and growth <= MOST_GROWTH


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10, help="until the second count of DOM nodes")
    minutes = parser.parse_args(arguments).minutes
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f} before")
    with running_lab(**MACHINE) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium())
        context = browser.new_context(viewport={"width": 1280, "height": 1600})
        page = NotebookPage(context.new_page(), lab, "lab", "panel_load.ipynb")
        good = measured(lab, page, minutes)
        page.end()
        browser.close()
    print(f"load {os.getloadavg()[0]:.1f} after: {'within the bounds' if good else 'a bound is passed'}")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
