"""Concurrent async I/O: one container has many inputs in flight, because each of them mostly waits.

A server inside the container answers slowly; the container asks it for all inputs at the same time.

Run it: modal-nb run examples/concurrent_io.py --requests 40
"""

import asyncio

import modal_nb as modal

app = modal.App("example-concurrent-io")


@app.cls(max_containers=1)
@modal.concurrent(max_inputs=50)
class Client:
    @modal.enter()
    async def start_server(self) -> None:
        self.in_flight = 0
        self.most_in_flight = 0
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.readline()
        await asyncio.sleep(0.2)
        writer.write(question.upper())
        await writer.drain()
        writer.close()

    @modal.method()
    async def ask(self, question: str) -> str:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(question.encode() + b"\n")
        answer = await reader.readline()
        writer.close()
        self.in_flight -= 1
        return answer.decode().strip()

    @modal.method()
    async def most_at_once(self) -> int:
        return self.most_in_flight

    @modal.exit()
    def stop_server(self) -> None:
        self.server.close()


@app.local_entrypoint()
def main(requests: int = 40) -> None:
    client = Client()
    answers = list(client.ask.map(f"question {number}" for number in range(requests)))
    print(answers[0], "...", answers[-1])
    print(f"{len(answers)} answers, more than one at a time: {client.most_at_once.remote() > 1}")
