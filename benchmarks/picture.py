"""Rounds of figures -> a picture of section D: calls per second against the size of a batch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks import document
from benchmarks.rounds import Round
from benchmarks.work import BATCH_SIZES

Line = tuple[list[int], list[float], tuple[list[float], list[float]]]


def line(rounds: Sequence[Round], who: str) -> Line:
    """The sizes that it has figures for; their medians; how far the lowest and the highest round are from these."""
    keys = {size: f"D|{who}|{size}" for size in BATCH_SIZES}
    found = {
        size: [figures[key]["calls_s"] for figures in rounds if key in figures] for size, key in keys.items()
    }
    sizes = [size for size in BATCH_SIZES if found[size]]
    middle = [statistics.median(found[size]) for size in sizes]
    below = [mid - min(found[size]) for size, mid in zip(sizes, middle, strict=True)]
    above = [max(found[size]) - mid for size, mid in zip(sizes, middle, strict=True)]
    return sizes, middle, (below, above)


def draw(rounds: Sequence[Round], path: Path) -> None:
    """The same figures make the same file."""
    # only `make bench` needs it
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with plt.rc_context({"svg.hashsalt": "modal_nb", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        for who in document.names(rounds, "D"):
            sizes, middle, spread = line(rounds, who)
            ours = who.startswith("modal_nb")
            axes.errorbar(
                sizes, middle, yerr=spread, label=who, marker="o", capsize=3, linestyle="-" if ours else "--"
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(BATCH_SIZES, [str(size) for size in BATCH_SIZES])
        axes.set(xlabel="largest batch", ylabel="calls/s", title="A batched method, one container")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend()
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        plt.close(figure)
