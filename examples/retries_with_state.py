"""Retries: an input that fails is tried again; what an earlier try finished is not done twice.

How far a try came stands in a Dict, which all containers share and which outlives them.

Run it: modal-nb run examples/retries_with_state.py --pages 5
"""

import uuid

import modal_nb as modal

app = modal.App("example-retries-with-state")

progress = modal.Dict.from_name("example-import-progress", create_if_missing=True)


class Interrupted(Exception):
    """The network, say."""


@app.cls(retries=modal.Retries(max_retries=8, initial_delay=0.1, backoff_coefficient=1.0))
class Importer:
    @modal.method()
    def copy(self, ticket: str, pages: int) -> dict[str, int]:
        """Copies pages, and is interrupted after every second one."""
        done = resumed_at = int(progress.get(ticket, 0))
        while done < pages:
            done += 1
            progress[ticket] = done
            if done % 2 == 0 and done < pages:
                raise Interrupted(f"after page {done}")
        return {"pages": done, "last try began after page": resumed_at}


@app.local_entrypoint()
def main(pages: int = 5) -> None:
    ticket = uuid.uuid4().hex
    for what, number in Importer().copy.remote(ticket, pages).items():
        print(f"{what}: {number}")
    progress.pop(ticket)
