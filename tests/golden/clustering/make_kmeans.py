"""Writes kmeans.json: Lloyd's algorithm of scikit-learn from given centres for a fixed number of iterations.

Run in this folder: python make_kmeans.py
"""

import json
import pathlib

import numpy
from sklearn.cluster import KMeans

N, DIM, K, ITERATIONS = 200, 12, 9, 6


def main():
    random = numpy.random.default_rng(3)
    # Overlapping blobs, so that the assignment still moves after several iterations; single precision by intent,
    # because that is what the kernels read.
    blobs = random.normal(size=(K, DIM))
    points = (blobs[random.integers(0, K, N)] + 0.9 * random.normal(size=(N, DIM))).round(4).astype("float32")
    init = points[random.choice(N, K, replace=False)]
    fit = KMeans(K, init=init.astype("float64"), n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd")
    fit.fit(points.astype("float64"))
    assert fit.n_iter_ == ITERATIONS, f"converged after {fit.n_iter_} iterations, choose fewer"
    distances = numpy.sort(((points[:, None] - fit.cluster_centers_[None]) ** 2).sum(-1), axis=1)
    assert (distances[:, 1] - distances[:, 0]).min() > 1e-3, "a point lies between two centres, choose another seed"
    assert len(set(fit.labels_)) == K, "a cluster is empty, choose another seed"
    golden = {
        "iterations": ITERATIONS,
        "points": [[float(f"{x:.4f}") for x in row] for row in points],
        "init": [[float(f"{x:.4f}") for x in row] for row in init],
        "centres": [[float(f"{x:.8g}") for x in row] for row in fit.cluster_centers_],
        "labels": fit.labels_.tolist(),
        "inertia": float(f"{fit.inertia_:.10g}"),
    }
    path = pathlib.Path(__file__).parent / "kmeans.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
