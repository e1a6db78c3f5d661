"""Times peers' k-means on a matrix: one JSON line. Called by sid_methods.ts; needs faiss-cpu, scikit-learn, k-means-constrained.

python sid_methods.py PEER POINTS.npy CENTRES.npy REPEATS
"""

import json
import sys
import time

import numpy


def timed(work, repeats):
    work()
    milliseconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        milliseconds.append(1e3 * (time.perf_counter() - start))
    return milliseconds


def faiss_assign(points, centres, repeats):
    import faiss

    index = faiss.IndexFlatL2(points.shape[1])
    index.add(centres)
    return timed(lambda: index.search(points, 1), repeats), None


def faiss_lloyd(points, centres, repeats):
    import faiss

    def iterate():
        k = len(centres)
        clustering = faiss.Clustering(points.shape[1], k)
        clustering.niter = 1
        clustering.max_points_per_centroid = len(points)
        faiss.copy_array_to_vector(centres.ravel(), clustering.centroids)
        clustering.train(points, faiss.IndexFlatL2(points.shape[1]))

    return timed(iterate, repeats), None


def sklearn_lloyd(points, centres, repeats):
    from sklearn.cluster import KMeans

    fit = KMeans(len(centres), init=centres, n_init=1, max_iter=1, tol=0, algorithm="lloyd")
    return timed(lambda: fit.fit(points), repeats), None


def sklearn_assign(points, centres, repeats):
    from sklearn.cluster import KMeans

    fit = KMeans(len(centres), init=centres, n_init=1, max_iter=1).fit(points)
    return timed(lambda: fit.predict(points), repeats), None


def constrained_fit(points, centres, repeats):
    from k_means_constrained import KMeansConstrained

    n, k = len(points), len(centres)
    milliseconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        fit = KMeansConstrained(
            k, size_min=max(1, n // k - 1), size_max=n // k + 1, n_init=1, max_iter=100, tol=1e-4, random_state=0
        ).fit(points.astype("float64"))
        milliseconds.append(1e3 * (time.perf_counter() - start))
    return milliseconds, float(fit.inertia_)


def main():
    peer, points, centres, repeats = sys.argv[1:]
    work = globals()[peer]
    milliseconds, cost = work(numpy.load(points), numpy.load(centres), int(repeats))
    print(json.dumps({"milliseconds": milliseconds, "cost": cost}))


if __name__ == "__main__":
    main()
