"""A queue of work: start everything at once, go on, and gather the results later.

Run it: modal-nb run examples/work_queue.py --orders 6
"""

import modal_nb as modal

app = modal.App("example-work-queue")

PRICES = {"tea": 3, "cake": 4, "soup": 6}


@app.cls(max_containers=2)
class Kitchen:
    @modal.method()
    def prepare(self, order: int, dishes: list[str]) -> tuple[int, int]:
        return order, sum(PRICES[dish] for dish in dishes)


@app.local_entrypoint()
def main(orders: int = 6) -> None:
    menu = list(PRICES)
    kitchen = Kitchen()
    calls = [
        kitchen.prepare.spawn(number, [menu[number % 3], menu[(number + 1) % 3]]) for number in range(orders)
    ]
    print(f"{len(calls)} orders are in the kitchen, nobody waits")

    # an id is all that is needed to find a call again
    first = modal.FunctionCall.from_id(calls[0].object_id)
    print("the first one:", first.get(timeout=60))

    bills = modal.FunctionCall.gather(*calls)
    for order, price in bills:
        print(f"order {order}: {price}")
    print("together:", sum(price for _, price in bills))
