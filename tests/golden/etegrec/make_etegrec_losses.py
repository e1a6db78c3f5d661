"""Writes etegrec_losses.json: the alignment losses of ETEGRec in double precision, with their gradients.

Run in this folder: python make_etegrec_losses.py
Sequence-item alignment with both signs of the distance, with residuals that carry the gradient of the latents and with
those of straight-through codewords, which do not; preference-semantic alignment. Two rows repeat the target of an
earlier one and two are padding: they take no part. Codewords are never close to a tie, so that single precision finds
the same codes.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

ROWS, LATENT, ITEM, CODEBOOKS = 9, 6, 10, [7, 5, 6]
TARGETS = [4, 2, 4, 9, 0, 2, 7]  # then padding
SIA_WEIGHT, PSA_WEIGHT, TEMPERATURE = 0.3, 0.7, 0.07
BETA, QUANT_WEIGHT = 0.25, 0.8


def make_inputs():
    generator = torch.Generator().manual_seed(5)
    shapes = {
        "sequences": (ROWS, LATENT),
        "latents": (ROWS, LATENT),
        "reconstructions": (ROWS, ITEM),
        "preferences": (ROWS, ITEM),
    } | {f"codebook.{level}": (size, LATENT) for level, size in enumerate(CODEBOOKS)}
    # Rounded to single precision first, which is what the test reads.
    return {name: torch.randn(shape, generator=generator).double() for name, shape in shapes.items()}


def levels_of(latents, codebooks, residual_gradients):
    """Residual and codes of each level, and the codewords with their gradient."""
    residual, found = latents, []
    for codebook in codebooks:
        distances = ((residual[:, None] - codebook[None]) ** 2).sum(-1)
        two = distances.topk(2, largest=False).values
        assert (two[:, 1] - two[:, 0]).min() > 1e-3
        codeword = codebook[distances.argmin(1)]
        found.append((residual, codeword, distances))
        straight = residual + (codeword - residual).detach()
        residual = residual - (codeword.detach() if residual_gradients else straight)
    return found


def first_rows():
    return [row for row, target in enumerate(TARGETS) if target not in TARGETS[:row]]


def sequence_item(inputs, codebooks, sign, residual_gradients):
    rows, total = first_rows(), 0
    sides = [levels_of(inputs[name], codebooks, residual_gradients) for name in ("sequences", "latents")]
    for (_, _, of_sequences), (_, _, of_items) in zip(*sides):
        p, q = (F.log_softmax(sign * distances[rows], -1) for distances in (of_sequences, of_items))
        total = total + F.kl_div(q, p, reduction="sum", log_target=True) + F.kl_div(p, q, reduction="sum", log_target=True)
    return SIA_WEIGHT * total / (len(codebooks) * len(rows))


def preference_semantic(inputs):
    rows = first_rows()
    items, histories = (F.normalize(inputs[name][rows], dim=-1) for name in ("reconstructions", "preferences"))
    scores = items @ histories.T / TEMPERATURE
    own = torch.arange(len(rows))
    return PSA_WEIGHT * (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own))


def quantization(inputs, codebooks, residual_gradients):
    rows, total = first_rows(), 0
    for residual, codeword, _ in levels_of(inputs["latents"], codebooks, residual_gradients):
        v, e = residual[rows], codeword[rows]
        total = total + ((e - v.detach()) ** 2).mean() + BETA * ((e.detach() - v) ** 2).mean()
    return QUANT_WEIGHT * total / len(codebooks)


def rounded(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def run(inputs, loss_of):
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}
    loss = loss_of(leaves, [leaves[f"codebook.{level}"] for level in range(len(CODEBOOKS))])
    loss.backward()
    gradients = {name: rounded(leaf.grad) for name, leaf in leaves.items() if leaf.grad is not None}
    return {"loss": loss.item(), "gradients": gradients}


def main():
    inputs = make_inputs()
    golden = {
        "rows": ROWS,
        "latentWidth": LATENT,
        "itemWidth": ITEM,
        "codebookSizes": CODEBOOKS,
        "targets": TARGETS,
        "siaWeight": SIA_WEIGHT,
        "psaWeight": PSA_WEIGHT,
        "temperature": TEMPERATURE,
        "beta": BETA,
        "quantLossWeight": QUANT_WEIGHT,
        "inputs": {name: rounded(tensor) for name, tensor in inputs.items()},
        "sia": [
            {"siaSign": sign, "residualGradients": mode}
            | run(inputs, lambda leaves, codebooks: sequence_item(leaves, codebooks, sign, mode))
            for sign in (-1, 1)
            for mode in (True, False)
        ],
        "psa": run(inputs, lambda leaves, _: preference_semantic(leaves)),
        "quantization": [
            {"residualGradients": mode}
            | run(inputs, lambda leaves, codebooks: quantization(leaves, codebooks, mode))
            for mode in (True, False)
        ],
    }
    path = pathlib.Path(__file__).parent / "etegrec_losses.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
