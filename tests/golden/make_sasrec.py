"""Writes sasrec.json: a tiny SASRec after the formulas of its paper, its scores, losses and gradients, double precision.

Run in this folder: python make_sasrec.py
Kang and McAuley 2018 (arXiv:1808.09781): embeddings plus positions (eq. 1), scaled dot-product attention with separate
projections and a causal mask (eq. 2, 3), point-wise feed-forward (eq. 4), blocks g(x) = x + g(LN(x)) (section III.C) and
scores by the item embedding (eq. 6); the norm after the last block and its epsilon are those of the authors' code.
Heads split the projections. Histories stand alone, so nothing is padded.
"""

import json
import math
import pathlib

import torch

ITEMS, POSITIONS, WIDTH, HEADS, LAYERS, EPS = 13, 7, 8, 2, 2, 1e-8
HISTORIES = [[3, 0, 12, 3, 7, 5, 9], [1, 4], [8, 2, 6, 11]]
NEGATIVES = [[2, 5, 1, 1, 0, 10], [7], [4, 9, 0]]


def single(*shape, generator, scale):
    """Random values that single precision holds exactly."""
    return (torch.randn(*shape, generator=generator) * scale).float().double()


def make_weights(generator):
    weights = {
        "item_embedding.weight": single(ITEMS, WIDTH, generator=generator, scale=0.7),
        "position_embedding.weight": single(POSITIONS, WIDTH, generator=generator, scale=0.5),
    }
    norms = ["norm"]
    for layer in range(LAYERS):
        name = f"layers.{layer}"
        norms += [f"{name}.attention_norm", f"{name}.feed_forward_norm"]
        for part, rows in (("qkv", 3 * WIDTH), ("feed_forward.0", WIDTH), ("feed_forward.1", WIDTH)):
            weights[f"{name}.{part}.weight"] = single(rows, WIDTH, generator=generator, scale=0.5)
            weights[f"{name}.{part}.bias"] = single(1, rows, generator=generator, scale=0.3)
    for name in norms:
        weights[f"{name}.weight"] = 1 + single(1, WIDTH, generator=generator, scale=0.25)
        weights[f"{name}.bias"] = single(1, WIDTH, generator=generator, scale=0.25)
    return {name: torch.nn.Parameter(value) for name, value in weights.items()}


def norm(weights, x, name):
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.pow(2).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + EPS) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def dense(weights, x, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def attention(q, k, v):
    scores = q @ k.T / math.sqrt(q.shape[1])
    future = torch.ones(len(q), len(q)).triu(1).bool()
    return torch.softmax(scores.masked_fill(future, -math.inf), dim=-1) @ v


def states(weights, items):
    x = weights["item_embedding.weight"][items] + weights["position_embedding.weight"][: len(items)]
    for layer in range(LAYERS):
        name = f"layers.{layer}"
        q, k, v = dense(weights, norm(weights, x, f"{name}.attention_norm"), f"{name}.qkv").chunk(3, dim=1)
        heads = [part.chunk(HEADS, dim=1) for part in (q, k, v)]
        x = x + torch.cat([attention(*head) for head in zip(*heads)], dim=1)
        hidden = torch.relu(dense(weights, norm(weights, x, f"{name}.feed_forward_norm"), f"{name}.feed_forward.0"))
        x = x + dense(weights, hidden, f"{name}.feed_forward.1")
    return norm(weights, x, "norm")


def main():
    generator = torch.Generator().manual_seed(11)
    weights = make_weights(generator)
    table = weights["item_embedding.weight"]
    golden = {
        "shape": {
            "model_type": "sasrec",
            "num_items": ITEMS,
            "max_length": POSITIONS,
            "hidden_size": WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "tie_word_embeddings": True,
        },
        "histories": HISTORIES,
        "negatives": NEGATIVES,
        "weights": {name: value.flatten().tolist() for name, value in weights.items()},
        "scores": [(states(weights, items)[-1] @ table.T).tolist() for items in HISTORIES],
        "losses": {},
    }
    hidden = torch.cat([states(weights, items[:-1]) for items in HISTORIES])
    targets = torch.tensor([item for items in HISTORIES for item in items[1:]])
    negatives = torch.tensor([item for items in NEGATIVES for item in items])
    binary = torch.nn.functional.binary_cross_entropy_with_logits
    right, wrong = ((hidden * table[items]).sum(1) for items in (targets, negatives))
    stacked = torch.cat([right, wrong])
    losses = {
        "softmax": torch.nn.functional.cross_entropy(hidden @ table.T, targets),
        "bce": binary(stacked, torch.cat([torch.ones_like(right), torch.zeros_like(wrong)])),
    }
    for name, loss in losses.items():
        gradients = torch.autograd.grad(loss, list(weights.values()), retain_graph=True)
        golden["losses"][name] = {
            "loss": loss.item(),
            "gradients": {key: g.flatten().tolist() for key, g in zip(weights, gradients)},
        }
    rounded = json.loads(json.dumps(golden), parse_float=lambda text: float(f"{float(text):.9g}"))
    rounded["weights"] = golden["weights"]
    path = pathlib.Path(__file__).parent / "sasrec.json"
    path.write_text(json.dumps(rounded, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
