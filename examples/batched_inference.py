"""Batched inference: callers send single sentences, the model gets lists of them.

The "model" is a table of words; what matters is that one pass of it serves many callers.

Run it: modal-nb run examples/batched_inference.py --copies 20
"""

import modal_nb as modal

app = modal.App("example-batched-inference")

SENTENCES = [
    "what a lovely day",
    "this is terrible",
    "a bad film",
    "good food and a great view",
    "it is a chair",
]


@app.cls(max_containers=1)
class Sentiment:
    @modal.enter()
    def load(self) -> None:
        self.weights = {"lovely": 1, "good": 1, "great": 1, "bad": -1, "terrible": -1}

    @modal.batched(max_batch_size=25, wait_ms=50)
    def classify(self, sentences: list[str]) -> list[tuple[str, int]]:
        """For each sentence what it is, and how many were looked at together."""
        scores = [sum(self.weights.get(word, 0) for word in sentence.split()) for sentence in sentences]
        labels = ["good" if score > 0 else "bad" if score < 0 else "neither" for score in scores]
        return [(label, len(sentences)) for label in labels]


@app.local_entrypoint()
def main(copies: int = 20) -> None:
    model = Sentiment()
    inputs = SENTENCES * copies
    answers = list(model.classify.map(inputs))
    for sentence, (label, _) in zip(SENTENCES, answers, strict=False):
        print(f"{label:8}{sentence}")
    most = max(together for _, together in answers)
    print(f"{len(answers)} sentences, more than one in a pass: {most > 1}")
