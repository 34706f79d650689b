"""Classes that call each other: a container of one sends work to the containers of the other.

Run it: modal-nb run examples/nested_calls.py --most 3
"""

from collections import Counter

import modal_nb as modal

app = modal.App("example-nested-calls")

PAGES = {
    "spring": "rain and sun and rain and wind",
    "summer": "sun and sun and more sun",
    "autumn": "wind and rain and fog",
}


@app.cls(max_containers=2)
class Reader:
    @modal.method()
    def count(self, page: str) -> dict[str, int]:
        return dict(Counter(PAGES[page].split()))


@app.cls(max_containers=1)
class Librarian:
    @modal.method()
    def summarize(self, most: int) -> list[tuple[str, int]]:
        """Lets readers count all pages, and adds up."""
        total: Counter[str] = Counter()
        for counts in Reader().count.map(list(PAGES)):
            total.update(counts)
        return self.best.local(total, most)

    @modal.method()
    def best(self, counts: dict[str, int], most: int) -> list[tuple[str, int]]:
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return ranked[:most]


@app.local_entrypoint()
def main(most: int = 3) -> None:
    for word, count in Librarian().summarize.remote(most):
        print(f"{word}: {count}")
