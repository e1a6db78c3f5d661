"""Times peers' k-means on a matrix: one JSON line. Called by sid_methods.ts; needs faiss-cpu, scikit-learn, k-means-constrained.

python sid_methods.py PEER POINTS.npy CENTRES.npy REPEATS ITERATIONS
"""

import json
import sys
import time

import numpy


def timed(work, repeats):
    work()
    costs = []
    for _ in range(repeats):
        start, worked = time.perf_counter(), time.process_time()
        work()
        costs.append([1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - worked)])
    return costs


def faiss_assign(points, centres, repeats, iterations):
    import faiss

    index = faiss.IndexFlatL2(points.shape[1])
    index.add(centres)
    return timed(lambda: index.search(points, 1), repeats), None


def faiss_lloyd(points, centres, repeats, iterations):
    import faiss

    def iterate():
        k = len(centres)
        clustering = faiss.Clustering(points.shape[1], k)
        clustering.niter = iterations
        clustering.max_points_per_centroid = len(points)
        faiss.copy_array_to_vector(centres.ravel(), clustering.centroids)
        clustering.train(points, faiss.IndexFlatL2(points.shape[1]))

    return timed(iterate, repeats), None


def sklearn_lloyd(points, centres, repeats, iterations):
    from sklearn.cluster import KMeans

    fit = KMeans(len(centres), init=centres, n_init=1, max_iter=iterations, tol=0, algorithm="lloyd")
    return timed(lambda: fit.fit(points), repeats), None


def sklearn_assign(points, centres, repeats, iterations):
    from sklearn.cluster import KMeans

    fit = KMeans(len(centres), init=centres, n_init=1, max_iter=1).fit(points)
    return timed(lambda: fit.predict(points), repeats), None


def constrained_fit(points, centres, repeats, iterations):
    from k_means_constrained import KMeansConstrained

    n, k = len(points), len(centres)
    costs = []
    for _ in range(repeats):
        start, worked = time.perf_counter(), time.process_time()
        fit = KMeansConstrained(
            k, size_min=max(1, n // k - 1), size_max=n // k + 1, n_init=1, max_iter=100, tol=1e-4, random_state=0
        ).fit(points.astype("float64"))
        costs.append([1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - worked)])
    return costs, float(fit.inertia_)


def main():
    peer, points, centres, repeats, iterations = sys.argv[1:]
    work = globals()[peer]
    costs, cost = work(numpy.load(points), numpy.load(centres), int(repeats), int(iterations))
    milliseconds, worked = zip(*costs)
    print(json.dumps({"milliseconds": milliseconds, "processorMilliseconds": worked, "cost": cost}))


if __name__ == "__main__":
    main()
