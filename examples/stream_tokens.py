"""Streaming: the words of an answer are shown as they are made, not when all are there.

The language model is a table of which word follows which.

Run it: modal-nb run examples/stream_tokens.py --prompt the --length 12
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import modal_nb as modal

app = modal.App("example-stream-tokens")

FOLLOWS = {
    "the": "cat", "cat": "sat", "sat": "on", "on": "a", "a": "mat", "mat": "while", "while": "the",
}  # fmt: skip


@app.cls(max_containers=1)
class Writer:
    @modal.enter()
    def load(self) -> None:
        self.follows = dict(FOLLOWS)

    @modal.method()
    def write(self, prompt: str, length: int) -> Iterator[str]:
        word = prompt
        for _ in range(length):
            word = self.follows.get(word, "the")
            yield word

    @modal.method()
    async def spell(self, word: str) -> AsyncIterator[str]:
        for letter in word:
            await asyncio.sleep(0)
            yield letter.upper()


@app.local_entrypoint()
def main(prompt: str = "the", length: int = 12) -> None:
    writer = Writer()
    print(prompt, end="")
    count = 0
    for word in writer.write.remote_gen(prompt, length):
        print("", word, end="", flush=True)
        count += 1
    print(f"\n{count} words, one by one")
    print("-".join(writer.spell.remote_gen("done")))
