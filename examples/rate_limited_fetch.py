"""Fetching politely: many inputs wait in one container, and no more than two of them ask the server at once.

The server is part of the program. It refuses (429) whoever comes while two others are being served.

Run it: modal-nb run examples/rate_limited_fetch.py --pages 12
"""

import asyncio
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import modal_nb as modal

app = modal.App("example-rate-limited-fetch")

LIMIT = 2


class StrictHandler(BaseHTTPRequestHandler):
    places = threading.Semaphore(LIMIT)

    def do_GET(self) -> None:
        if not self.places.acquire(blocking=False):
            self.send_error(429)
            return
        time.sleep(0.02)
        body = f"page {self.path[1:]}".encode()
        # before the answer leaves: its reader may ask again at once
        self.places.release()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@app.cls(max_containers=1)
@modal.concurrent(max_inputs=20)
class Fetcher:
    @modal.enter()
    async def start(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), StrictHandler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.turn = asyncio.Semaphore(LIMIT)

    @modal.method()
    async def fetch(self, page: int) -> tuple[int, str]:
        async with self.turn:
            return await asyncio.to_thread(self.get, f"http://127.0.0.1:{self.server.server_port}/{page}")

    def get(self, url: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.reason

    @modal.exit()
    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@app.local_entrypoint()
def main(pages: int = 12) -> None:
    answers = list(Fetcher().fetch.map(range(pages)))
    print(answers[0][1], "...", answers[-1][1])
    refused = sum(status == 429 for status, _ in answers)
    print(f"{len(answers)} pages, {refused} refused")
