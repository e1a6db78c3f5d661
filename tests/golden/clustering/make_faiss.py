"""Writes faiss.json: mean squared errors of faiss's residual quantizer, three levels, greedy and with beams.

Run in this folder: python make_faiss.py [collab.sasrec32.npy]
Without the file, (9922, 32) vectors of the LETTER Instruments data, its figures stay as they are.
"""

import json
import pathlib
import sys

import faiss
import numpy

HERE = pathlib.Path(__file__).parent


def errors(points, bits, beam):
    """Mean squared error after each level. Default training: k-means with progressive dimensions."""
    quantizer = faiss.ResidualQuantizer(points.shape[1], 3, bits)
    quantizer.max_beam_size = beam
    quantizer.train(points)
    codes = quantizer.compute_codes(points)
    levels = faiss.unpack_bitstrings(codes, 3, bits)
    codebooks = faiss.vector_to_array(quantizer.codebooks).reshape(3, 2**bits, -1)
    left = points.astype("float64")
    found = []
    for level in range(3):
        left = left - codebooks[level][levels[:, level]]
        found.append(float(f"{(left**2).mean():.8g}"))
    return found


def main():
    faiss.omp_set_num_threads(1)
    path = HERE / "faiss.json"
    golden = json.loads(path.read_text()) if path.exists() else {}
    small = numpy.array(json.loads((HERE / "constrained_kmeans.json").read_text())["points"], dtype="float32")
    golden["blobs"] = {str(beam): errors(small, 4, beam) for beam in (1, 5)}
    if len(sys.argv) > 1:
        collab = numpy.load(sys.argv[1]).astype("float32")
        golden["collab"] = {str(beam): errors(collab, 8, beam) for beam in (1, 5, 16)}
    path.write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
