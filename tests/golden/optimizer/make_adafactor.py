"""Writes adafactor.json: steps of Adafactor of transformers, as its Trainer makes it for `optim="adafactor"`, in double precision.

Run in this folder: python make_adafactor.py
A matrix of 5 x 7 that decays, whose last two rows have no gradient in the first step, and a vector of 3 that does not.
Gradients of the third step are large, so that its update is clipped.
"""

import json
import pathlib

import torch
from transformers.optimization import Adafactor

LEARNING_RATES = [0.01, 0.02, 0.02, 0.01, 0.005]
GRADIENT_SCALES = [1.0, 0.1, 30.0, 1.0, 1e-6]
WEIGHT_DECAY = 0.1


def single(*shape, generator):
    """Random values that single precision holds exactly."""
    return torch.randn(*shape, generator=generator).float().double()


def main():
    generator = torch.Generator().manual_seed(8)
    weight = torch.nn.Parameter(single(5, 7, generator=generator))
    bias = torch.nn.Parameter(single(3, generator=generator))
    groups = [{"params": [weight], "weight_decay": WEIGHT_DECAY}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = Adafactor(groups, lr=0.01, scale_parameter=False, relative_step=False)
    golden = {
        "weightDecay": WEIGHT_DECAY,
        "initial": {"weight": weight.tolist(), "bias": bias.tolist()},
        "steps": [],
    }
    for i, (learning_rate, scale) in enumerate(zip(LEARNING_RATES, GRADIENT_SCALES)):
        gradient = (single(5, 7, generator=generator) * scale).float().double()
        if i == 0:
            gradient[3:] = 0
        weight.grad = gradient
        bias.grad = (single(3, generator=generator) * scale).float().double()
        gradients = {"weight": weight.grad.tolist(), "bias": bias.grad.tolist()}
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
        golden["steps"].append(
            {
                "learningRate": learning_rate,
                "gradients": gradients,
                "weight": weight.tolist(),
                "bias": bias.tolist(),
                "rowMoments": optimizer.state[weight]["exp_avg_sq_row"].tolist(),
                "columnMoments": optimizer.state[weight]["exp_avg_sq_col"].tolist(),
                "vectorMoments": optimizer.state[bias]["exp_avg_sq"].tolist(),
            }
        )
    path = pathlib.Path(__file__).parent / "adafactor.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
