"""Writes adamw_8bit.json: what codes of bitsandbytes stand for, and steps of its AdamW8bit on a CPU.

Run in this folder: python make_adamw_8bit.py
On a CPU bitsandbytes looks codes up in a table of 65,536 entries, too coarse for small numbers; here it takes the nearest one,
as it does on a GPU. A tensor of 600 numbers, which are two blocks of 256 and part of a third; the second one has an outlier in its gradients.
"""

import json
import pathlib

import bitsandbytes
import torch
from bitsandbytes.backends.cpu import ops
from bitsandbytes.functional import create_dynamic_map

LEARNING_RATES = [0.01, 0.02, 0.02, 0.01, 0.005]
BETAS, EPS, LENGTH = (0.9, 0.95), 1e-8, 600


def nearest(values, book, scales, codes, blocksize):
    """What `_quant_blockwise_fp32_direct()` does, without a table."""
    for block, part in enumerate(values.split(blocksize)):
        scales[block] = part.abs().max()
        distances = (part[:, None] / scales[block] - book[None]).abs()
        codes[block * blocksize : block * blocksize + len(part)] = distances.argmin(1).to(torch.uint8)


def main():
    ops._quant_blockwise_fp32_direct = nearest
    generator = torch.Generator().manual_seed(3)
    weight = torch.nn.Parameter(torch.randn(LENGTH, generator=generator))
    optimizer = bitsandbytes.optim.AdamW8bit(
        [weight], lr=0.01, betas=BETAS, eps=EPS, weight_decay=0.0, min_8bit_size=0
    )
    golden = {
        "maps": {
            "signed": create_dynamic_map(signed=True).tolist(),
            "unsigned": create_dynamic_map(signed=False).tolist(),
        },
        "betas": BETAS,
        "eps": EPS,
        "initial": weight.tolist(),
        "steps": [],
    }
    for learning_rate in LEARNING_RATES:
        gradient = torch.randn(LENGTH, generator=generator)
        gradient[300] *= 50
        weight.grad = gradient
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
        state = optimizer.state[weight]
        golden["steps"].append(
            {
                "learningRate": learning_rate,
                "gradient": gradient.tolist(),
                "weight": weight.tolist(),
                "m": state["state1"].tolist(),
                "v": state["state2"].tolist(),
                "scales": torch.stack([state["absmax1"], state["absmax2"]], 1).flatten().tolist(),
            }
        )
    path = pathlib.Path(__file__).parent / "adamw_8bit.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
