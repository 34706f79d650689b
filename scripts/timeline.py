"""The pictures of where time goes: for each thing that takes time a bar, for each of its steps a piece of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

_LOOK = {"svg.hashsalt": "modal_nb", "svg.fonttype": "none", "font.family": "sans-serif"}


def draw(
    path: Path,
    bars: Mapping[str, Sequence[float]],
    steps: Sequence[str],
    *,
    across: str,
    height: float,
    digits: int = 0,
    least: float = 0.0,
) -> None:
    """``bars``: title -> what each of the ``steps`` took; ``across``: what the axis shows, and its unit; ``height``: in
    inches. A piece that takes more than the share ``least`` of its bar has its number, with so many ``digits``, on it.
    """
    import matplotlib as mpl  # noqa: PLC0415 - loaded when it is needed, after all is measured

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    with plt.rc_context(_LOOK):
        figure, rows = plt.subplots(len(bars), 1, figsize=(8, height), layout="constrained", squeeze=False)
        for axes, (title, pieces) in zip(rows[:, 0], bars.items(), strict=True):
            at = 0.0
            for step, took in zip(steps, pieces, strict=True):
                piece = axes.barh([0], [took], left=at, label=step)
                at += took
                if took > least * sum(pieces):
                    axes.bar_label(
                        piece, [f"{took:,.{digits}f}"], label_type="center", color="white", fontsize=9
                    )
            axes.set(yticks=[], xlim=(0, at), title=title)
            axes.spines[["top", "right", "left"]].set_visible(False)
        rows[-1, 0].set_xlabel(across)
        figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
