"""Functions without a class: one call, many calls, and a call in this process.

Run it: modal-nb run examples/hello_functions.py --name Ada --upto 5
"""

import modal_nb as modal

app = modal.App("example-hello-functions")


@app.function(max_containers=2)
def greet(name: str) -> str:
    return f"Hello, {name}!"


@app.function(max_containers=2)
def square(x: int) -> int:
    return x * x


@app.local_entrypoint()
def main(name: str = "world", upto: int = 10) -> None:
    print(greet.remote(name))
    print("here:", square.local(7))
    squares = list(square.map(range(1, upto + 1)))
    print(f"the squares of 1 to {upto} add up to {sum(squares)}")
