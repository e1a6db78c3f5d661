"""Writes constrained_kmeans.json: the cost of size-constrained clusters that k-means-constrained finds.

Run in this folder: python make_constrained_kmeans.py
"""

import json
import pathlib

import numpy
from k_means_constrained import KMeansConstrained

N, DIM, K = 600, 8, 16


def main():
    random = numpy.random.default_rng(5)
    # Blobs of unequal sizes, so that the bounds bind.
    blobs = random.normal(size=(K, DIM))
    share = random.dirichlet(numpy.full(K, 0.5))
    points = (blobs[random.choice(K, N, p=share)] + 0.5 * random.normal(size=(N, DIM))).round(3)
    bounds = {"min": N // K - 1, "max": N // K + 1}
    fit = KMeansConstrained(
        K, size_min=bounds["min"], size_max=bounds["max"], n_init=3, max_iter=100, tol=1e-4, random_state=42
    ).fit(points)
    golden = {
        "clusters": K,
        **bounds,
        "inertia": float(f"{fit.inertia_:.10g}"),
        "points": [[float(f"{x:.3f}") for x in row] for row in points],
    }
    path = pathlib.Path(__file__).parent / "constrained_kmeans.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
