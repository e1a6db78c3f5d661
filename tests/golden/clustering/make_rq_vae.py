"""Writes rq_vae.json: a tiny RQ-VAE in double precision, its losses and gradients, and ten steps of AdamW.

Run in this folder: python make_rq_vae.py
Three cases: residuals of straight-through codewords (which carry no gradient) with squared errors, and residuals that
carry the gradient of the latents with absolute errors; batch normalisation. Codewords are never close to a tie, so that
single precision finds the same codes.
"""

import json
import pathlib

import torch

SIZES, CODEBOOKS, ROWS = [11, 9, 6, 5], [7, 6, 4], 23
BETA, LOSS_WEIGHT = 0.25, 0.7
LEARNING_RATE, WEIGHT_DECAY, MAX_NORM, STEPS = 0.01, 0.05, 1.0, 10
CASES = [
    {"reconstructionLoss": "mse", "residualGradients": False, "batchNorm": False},
    {"reconstructionLoss": "l1", "residualGradients": True, "batchNorm": False},
    {"reconstructionLoss": "mse", "residualGradients": False, "batchNorm": True},
]


def single(*shape, generator, scale=1.0):
    """Random values that single precision holds exactly."""
    return (torch.randn(*shape, generator=generator) * scale).float().double()


def make_weights(generator, batch_norm):
    """Parameters, and the running moments of batch normalisation."""
    weights, moments = {}, {}
    for name, sizes in (("encoder", SIZES), ("decoder", SIZES[::-1])):
        for i, (cols, rows) in enumerate(zip(sizes, sizes[1:])):
            weights[f"{name}.{i}.weight"] = single(rows, cols, generator=generator, scale=(2 / (rows + cols)) ** 0.5)
            weights[f"{name}.{i}.bias"] = single(1, rows, generator=generator, scale=0.1)
    for level, codewords in enumerate(CODEBOOKS):
        weights[f"codebook.{level}"] = single(codewords, SIZES[-1], generator=generator, scale=0.5**level)
    if batch_norm:
        for name, sizes in (("encoder", SIZES), ("decoder", SIZES[::-1])):
            for i, cols in enumerate(sizes[1:-1]):
                weights[f"{name}.{i}.norm.weight"] = 1 + single(1, cols, generator=generator, scale=0.1)
                weights[f"{name}.{i}.norm.bias"] = single(1, cols, generator=generator, scale=0.1)
                moments[f"{name}.{i}.norm.running_mean"] = torch.zeros(1, cols, dtype=torch.double)
                moments[f"{name}.{i}.norm.running_var"] = torch.ones(1, cols, dtype=torch.double)
    return {name: torch.nn.Parameter(value) for name, value in weights.items()}, moments


def mlp(weights, moments, name, x, batch_norm):
    for i in range(len(SIZES) - 1):
        x = torch.nn.functional.linear(x, weights[f"{name}.{i}.weight"], weights[f"{name}.{i}.bias"][0])
        if i == len(SIZES) - 2:
            return x
        if batch_norm:
            norm = f"{name}.{i}.norm"
            running = (moments[f"{norm}.running_mean"][0], moments[f"{norm}.running_var"][0])
            gain, bias = weights[f"{norm}.weight"][0], weights[f"{norm}.bias"][0]
            x = torch.nn.functional.batch_norm(x, *running, gain, bias, training=True)
        x = torch.relu(x)


def forward(weights, moments, x, case):
    latents = mlp(weights, moments, "encoder", x, case["batchNorm"])
    residual, total, quantization, codes, margins = latents, 0, 0, [], []
    for level in range(len(CODEBOOKS)):
        codebook = weights[f"codebook.{level}"]
        distances = torch.cdist(residual, codebook) ** 2
        two = distances.topk(2, largest=False).values
        margins.append((two[:, 1] - two[:, 0]).min().item())
        code = distances.argmin(1)
        codes.append(code)
        codeword = codebook[code]
        loss = ((codeword - residual.detach()) ** 2).mean() + BETA * ((codeword.detach() - residual) ** 2).mean()
        quantization = quantization + loss / len(CODEBOOKS)
        straight = residual + (codeword - residual).detach()
        total = total + straight
        residual = residual - (codeword.detach() if case["residualGradients"] else straight)
    if case["residualGradients"]:
        total = latents + (sum(weights[f"codebook.{i}"][codes[i]] for i in range(len(CODEBOOKS))) - latents).detach()
    difference = mlp(weights, moments, "decoder", total, case["batchNorm"]) - x
    reconstruction = difference.abs().mean() if case["reconstructionLoss"] == "l1" else (difference**2).mean()
    return reconstruction, LOSS_WEIGHT * quantization, torch.stack(codes, 1), min(margins)


def rounded(tensors):
    return {name: [float(f"{value:.9g}") for value in tensor.flatten().tolist()] for name, tensor in tensors.items()}


def run(case, x):
    weights, moments = make_weights(torch.Generator().manual_seed(11), case["batchNorm"])
    initial = rounded(weights | moments)
    optimizer = torch.optim.AdamW(weights.values(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    shapes = {name: list(weight.shape) for name, weight in (weights | moments).items()}
    result = case | {"shapes": shapes, "initial": initial}
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        reconstruction, quantization, codes, margin = forward(weights, moments, x, case)
        assert margin > 1e-4, margin
        (reconstruction + quantization).backward()
        losses.append((reconstruction + quantization).item())
        if step == 0:
            result |= {
                "reconstruction": reconstruction.item(),
                "quantization": quantization.item(),
                "codes": codes.tolist(),
                "gradients": rounded({name: weight.grad for name, weight in weights.items()}),
            }
        torch.nn.utils.clip_grad_norm_(weights.values(), MAX_NORM)
        optimizer.step()
    return result | {"losses": losses, "trained": rounded(weights | moments)}


def main():
    x = single(ROWS, SIZES[0], generator=torch.Generator().manual_seed(3))
    golden = {
        "sizes": SIZES,
        "codebookSizes": CODEBOOKS,
        "beta": BETA,
        "quantLossWeight": LOSS_WEIGHT,
        "learningRate": LEARNING_RATE,
        "weightDecay": WEIGHT_DECAY,
        "maxGradNorm": MAX_NORM,
        "steps": STEPS,
        "input": rounded({"x": x})["x"],
        "cases": [run(case, x) for case in CASES],
    }
    path = pathlib.Path(__file__).parent / "rq_vae.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
