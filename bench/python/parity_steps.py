"""Training steps of PyTorch on the cases of bench/parity/, one at a time: python parity_steps.py FOLDER

A line on standard input is what is trained ("full", "lora", "frozen"): the next step of its training runs, of a new one
where the line before named another. The answer is a line "bench:" with the loss and what it cost.
"""

import json
import pathlib
import sys

from parity import steps
from serve import serve


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = json.loads((folder / "cases.json").read_text())
    mode, training = None, None

    def step(line):
        nonlocal mode, training
        if line.strip() != mode:
            training = None  # its model goes first
            mode = line.strip()
            training = steps(folder, cases, mode)
        return {"loss": next(training)}

    serve(step)


main()
