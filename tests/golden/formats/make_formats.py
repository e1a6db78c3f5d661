"""Writes formats.safetensors, formats.npy and formats.json: the same values in the number formats that are read.

Run in this folder: python make_formats.py
"""

import json
import pathlib

import numpy
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
# Ties to even in bfloat16 (256 + 1 and 256 + 3), subnormal halves, the largest half, signed zero, a repeating binary.
VALUES = [0.0, -0.0, 1.0, -2.5, 257.0, 259.0, 1 / 3, 3.14159274, 5.960464477539063e-08, 65504.0, 1e-5, -123.456]


def main():
    values = torch.tensor(VALUES, dtype=torch.float32).reshape(3, 4)
    tensors = {
        "single": values,
        "half": values.half(),
        "brain": values.bfloat16(),
        "scalar": torch.tensor(0.75),
        "empty": torch.zeros(0, 4),
    }
    save_file(tensors, HERE / "formats.safetensors", metadata={"note": "größe"})
    numpy.save(HERE / "formats.npy", values.half().numpy())
    expected = {name: tensor.float().flatten().tolist() for name, tensor in tensors.items()}
    (HERE / "formats.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
