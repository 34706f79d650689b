"""`python -m benchmarks`: play the rounds, print the tables, keep them and a picture. Called by `make bench`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks import document, history, picture, table
from benchmarks.peers.peer import PEERS
from benchmarks.rounds import ROOT, Round, play

RESULTS = Path(__file__).parent / "RESULTS.md"
PICTURE = Path(__file__).parent / "batched.svg"
#: a run with fewer rounds is a try: it is printed, not kept
LEAST_ROUNDS = 3
ALL = "".join(document.SECTIONS)
README_TABLE = re.compile(r"(<!-- bench: .*? -->\n).*?(<!-- /bench -->)", flags=re.DOTALL)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS)
    parser.add_argument(
        "--sections",
        default=ALL,
        help="; ".join(title for title, _ in document.SECTIONS.values()),
    )
    parser.add_argument("--compare", action="store_true", help="compare the last two runs of the history")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    return parser.parse_args()


def keep(rounds: Sequence[Round], text: str) -> None:
    RESULTS.write_text(text, encoding="utf-8")
    picture.draw(rounds, PICTURE)
    history.append(rounds)
    readme = ROOT / "README.md"
    aims = "\n".join(table.aims_table(rounds))
    before = readme.read_text(encoding="utf-8")
    readme.write_text(README_TABLE.sub(lambda m: f"{m[1]}{aims}\n{m[2]}", before), encoding="utf-8")


def main() -> None:
    options = arguments()
    if options.compare:
        print(history.compare_last())
        return
    rounds = list(play(options.peers, options.rounds, options.sections))
    text = document.document(rounds, options.sections, history.setting(rounds))
    print(text)
    whole = set(options.peers) == set(PEERS) and options.sections == ALL and len(rounds) >= LEAST_ROUNDS
    if whole:
        keep(rounds, text)
        kept = ", ".join(str(path.relative_to(ROOT)) for path in (RESULTS, PICTURE, history.HISTORY))
        print(f"Kept in {kept} and the README.\n\n{history.compare_last()}")
    else:
        print("Not kept: only a whole run (all peers and sections, 3 rounds or more) is.")


if __name__ == "__main__":
    main()
