"""A model that is loaded once and kept warm, in variants that each have containers of their own.

Run it: modal-nb run examples/warm_variants.py --text "papapa lalala"
"""

import modal_nb as modal

app = modal.App("example-warm-variants")


# a container stays up for five minutes after its last input
@app.cls(max_containers=1, scaledown_window=300)
class Compressor:
    #: how many letters the model looks at together
    width: int = modal.parameter()
    mark: str = modal.parameter(default="~")

    @modal.enter()
    def load(self) -> None:
        self.loads = 1
        self.answers = 0

    @modal.method()
    def squeeze(self, text: str) -> str:
        """Puts a mark where the last piece comes again."""
        self.answers += 1
        pieces = [text[i : i + self.width] for i in range(0, len(text), self.width)]
        return "".join(
            self.mark if before == piece else piece
            for before, piece in zip([None, *pieces], pieces, strict=False)
        )

    @modal.method()
    def history(self) -> tuple[int, int]:
        return self.loads, self.answers


@app.local_entrypoint()
def main(text: str = "papapa lalala", calls: int = 3) -> None:
    for variant in (Compressor(width=2), Compressor(width=3, mark="=")):
        squeezed = [variant.squeeze.remote(text) for _ in range(calls)]
        loads, answers = variant.history.remote()
        print(f"width {variant.width}: {squeezed[0]!r}, loaded {loads} time for {answers} answers")
