"""Writes adamw.json: five steps of torch's AdamW after clip_grad_norm_, in double precision.

Run in this folder: python make_adamw.py
Two tensors share one gradient norm; only the first decays. Steps 1, 3 and 4 are clipped, 2 and 5 are not.
"""

import json
import pathlib

import torch

LEARNING_RATES = [0.01, 0.02, 0.02, 0.01, 0.005]
GRADIENT_SCALES = [2.0, 0.1, 5.0, 1.0, 0.05]
BETAS, EPS, WEIGHT_DECAY, MAX_NORM = (0.9, 0.95), 1e-8, 0.1, 1.0


def single(*shape, generator):
    """Random values that single precision holds exactly."""
    return torch.randn(*shape, generator=generator).float().double()


def main():
    generator = torch.Generator().manual_seed(5)
    weight = torch.nn.Parameter(single(7, generator=generator))
    bias = torch.nn.Parameter(single(3, generator=generator))
    groups = [{"params": [weight], "weight_decay": WEIGHT_DECAY}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPS)
    golden = {
        "betas": BETAS,
        "eps": EPS,
        "weightDecay": {"weight": WEIGHT_DECAY, "bias": 0.0},
        "maxNorm": MAX_NORM,
        "initial": {"weight": weight.tolist(), "bias": bias.tolist()},
        "steps": [],
    }
    for learning_rate, scale in zip(LEARNING_RATES, GRADIENT_SCALES):
        weight.grad = (single(7, generator=generator) * scale).float().double()
        bias.grad = (single(3, generator=generator) * scale).float().double()
        gradients = {"weight": weight.grad.tolist(), "bias": bias.grad.tolist()}
        norm = torch.nn.utils.clip_grad_norm_([weight, bias], MAX_NORM).item()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
        golden["steps"].append(
            {
                "learningRate": learning_rate,
                "gradients": gradients,
                "norm": norm,
                "weight": weight.tolist(),
                "bias": bias.tolist(),
            }
        )
    clipped = [step["norm"] > MAX_NORM for step in golden["steps"]]
    assert clipped == [True, False, True, True, False], clipped
    path = pathlib.Path(__file__).parent / "adamw.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
