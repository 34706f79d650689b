"""A parameter sweep: fit a line by gradient descent with every pair of settings, and keep the best.

Run it: modal-nb run examples/parameter_sweep.py --steps 200
"""

import itertools

import modal_nb as modal

app = modal.App("example-parameter-sweep")

#: points of the line y = 3x + 1
POINTS = [(x / 10, 3 * x / 10 + 1) for x in range(-10, 11)]
RATES = [0.001, 0.01, 0.1, 0.5]
MOMENTA = [0.0, 0.5, 0.9]


@app.function(max_containers=2)
def fit(rate: float, momentum: float, steps: int = 100) -> tuple[float, float, float]:
    """Slope, intercept and the mean squared error."""
    slope = intercept = slope_speed = intercept_speed = 0.0
    for _ in range(steps):
        errors = [(slope * x + intercept - y, x) for x, y in POINTS]
        slope_speed = momentum * slope_speed - rate * sum(2 * e * x for e, x in errors) / len(POINTS)
        intercept_speed = momentum * intercept_speed - rate * sum(2 * e for e, _ in errors) / len(POINTS)
        slope += slope_speed
        intercept += intercept_speed
    return slope, intercept, sum((slope * x + intercept - y) ** 2 for x, y in POINTS) / len(POINTS)


@app.local_entrypoint()
def main(steps: int = 200) -> None:
    grid = list(itertools.product(RATES, MOMENTA))
    fits = list(fit.starmap(grid, kwargs={"steps": steps}))
    for (rate, momentum), (_, _, error) in zip(grid, fits, strict=True):
        print(f"rate {rate:<6} momentum {momentum:<4} error {error:.6f}")
    # the first of those that are as good as exact
    (rate, momentum), (slope, intercept, _) = min(
        zip(grid, fits, strict=True), key=lambda pair: round(pair[1][2], 6)
    )
    print(f"best: rate {rate}, momentum {momentum}: y = {slope:.3f}x + {intercept:.3f}")
