"""Retries: an input that fails is tried again; what an earlier try finished is not done twice.

Run it: modal-nb run examples/retries_with_state.py --pages 5
"""

import tempfile
import uuid
from pathlib import Path

import modal_nb as modal

app = modal.App("example-retries-with-state")


class Interrupted(Exception):
    """The network, say."""


@app.cls(max_containers=1, retries=modal.Retries(max_retries=8, initial_delay=0.1, backoff_coefficient=1.0))
class Importer:
    @modal.method()
    def copy(self, ticket: str, pages: int) -> dict[str, int]:
        """Copies pages, and is interrupted after every second one."""
        notes = Path(tempfile.gettempdir(), f"import-{ticket}")
        done = len(notes.read_text()) if notes.exists() else 0
        resumed_at = done
        while done < pages:
            done += 1
            notes.write_text("." * done)
            if done % 2 == 0 and done < pages:
                raise Interrupted(f"after page {done}")
        notes.unlink()
        return {"pages": done, "last try began after page": resumed_at}


@app.local_entrypoint()
def main(pages: int = 5) -> None:
    result = Importer().copy.remote(uuid.uuid4().hex, pages)
    for what, number in result.items():
        print(f"{what}: {number}")
