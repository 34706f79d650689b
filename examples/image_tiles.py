"""Work on a big picture, tile by tile: cut it here, find edges in containers, put it together here.

On Modal the containers need numpy: app = modal.App(..., image=modal.Image.debian_slim().uv_pip_install("numpy")).

Run it: modal-nb run examples/image_tiles.py --size 256 --tile 64
"""

import numpy as np
from numpy.typing import NDArray

import modal_nb as modal

app = modal.App("example-image-tiles")

Picture = NDArray[np.uint8]


def disc(size: int) -> Picture:
    """A white disc on black."""
    y, x = np.mgrid[:size, :size] - size / 2
    return np.where(x**2 + y**2 < (size / 3) ** 2, 255, 0).astype(np.uint8)


@app.cls(max_containers=2)
class EdgeFinder:
    @modal.method()
    def edges(self, tile: Picture) -> Picture:
        """The tile has a border of one more pixel, which the answer has not."""
        values = tile.astype(np.int16)
        across = np.abs(values[1:-1, 2:] - values[1:-1, :-2])
        down = np.abs(values[2:, 1:-1] - values[:-2, 1:-1])
        edges: Picture = np.maximum(across, down).astype(np.uint8)
        return edges


@app.local_entrypoint()
def main(size: int = 256, tile: int = 64) -> None:
    picture = disc(size)
    padded = np.pad(picture, 1)
    corners = [(y, x) for y in range(0, size, tile) for x in range(0, size, tile)]
    tiles = [padded[y : y + tile + 2, x : x + tile + 2] for y, x in corners]

    found = np.zeros_like(picture)
    for (y, x), edges in zip(corners, EdgeFinder().edges.map(tiles), strict=True):
        found[y : y + tile, x : x + tile] = edges

    whole = EdgeFinder().edges.local(padded)
    print(f"{len(tiles)} tiles of {tile} x {tile}, {np.count_nonzero(found)} pixels of edge")
    print("the same as in one piece:", bool(np.array_equal(found, whole)))
