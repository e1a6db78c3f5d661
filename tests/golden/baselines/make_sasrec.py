"""Writes sasrec.json and sasrec_reference.json: tiny SASRecs, their scores, losses and gradients, double precision.

Run in this folder: python make_sasrec.py
Kang and McAuley 2018 (arXiv:1808.09781): embeddings plus positions (eq. 1), scaled dot-product attention with separate
projections and a causal mask (eq. 2, 3), point-wise feed-forward (eq. 4), blocks g(x) = x + g(LN(x)) (section III.C) and
scores by the item embedding (eq. 6); the norm after the last block and its epsilon are those of the authors' code.
Heads split the projections. Histories stand alone, so nothing is padded.

The second is the block of MiniOneRec and MIMIGenRec, one head: queries of the normalised vectors, keys and values of
those before the norm, scores over the root of the width, both residuals on normalised vectors, a norm after the
feed-forward layers, and an output matrix of its own with a bias. Histories are padded on the right and masked as there.
"""

import json
import math
import pathlib

import torch

ITEMS, POSITIONS, WIDTH, HEADS, LAYERS, EPS, TORCH_EPS = 13, 7, 8, 2, 2, 1e-8, 1e-5
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


def make_reference_weights(generator):
    weights = {
        "item_embedding.weight": single(ITEMS, WIDTH, generator=generator, scale=0.7),
        "position_embedding.weight": single(POSITIONS, WIDTH, generator=generator, scale=0.5),
        "output.weight": single(ITEMS, WIDTH, generator=generator, scale=0.7),
        "output.bias": single(ITEMS, 1, generator=generator, scale=0.5),
    }
    name = "layers.0"
    for part, rows in (("query", WIDTH), ("key_value", 2 * WIDTH), ("feed_forward.0", WIDTH), ("feed_forward.1", WIDTH)):
        weights[f"{name}.{part}.weight"] = single(rows, WIDTH, generator=generator, scale=0.5)
        weights[f"{name}.{part}.bias"] = single(1, rows, generator=generator, scale=0.3)
    for part in (f"{name}.attention_norm", f"{name}.feed_forward_norm", f"{name}.output_norm", "norm"):
        weights[f"{part}.weight"] = 1 + single(1, WIDTH, generator=generator, scale=0.25)
        weights[f"{part}.bias"] = single(1, WIDTH, generator=generator, scale=0.25)
    return {name: torch.nn.Parameter(value) for name, value in weights.items()}


def norm(weights, x, name, eps=EPS):
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.pow(2).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


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


def reference_states(weights, items):
    length = len(items)
    embedded = torch.zeros(POSITIONS, WIDTH, dtype=torch.float64)
    embedded[:length] = weights["item_embedding.weight"][items]
    real = (torch.arange(POSITIONS) < length).double()
    x = (embedded + weights["position_embedding.weight"]) * real[:, None]
    normed = norm(weights, x, "layers.0.attention_norm", TORCH_EPS)
    k, v = dense(weights, x, "layers.0.key_value").chunk(2, dim=1)
    scores = dense(weights, normed, "layers.0.query") @ k.T / math.sqrt(WIDTH)
    least = -(2.0**32) + 1
    scores = scores.masked_fill(real[None, :] == 0, least)
    scores = scores.masked_fill(torch.ones(POSITIONS, POSITIONS).triu(1).bool(), least)
    attended = (torch.softmax(scores, dim=-1) * real[:, None]) @ v
    middle = norm(weights, attended + normed, "layers.0.feed_forward_norm", TORCH_EPS)
    wide = torch.relu(dense(weights, middle, "layers.0.feed_forward.0"))
    forward = norm(
        weights, dense(weights, wide, "layers.0.feed_forward.1") + middle, "layers.0.output_norm", TORCH_EPS
    )
    return norm(weights, forward * real[:, None], "norm", TORCH_EPS)[:length]


def write(name, golden, weights, states, output, bias):
    """Adds scores, losses and gradients of states(items) through an output matrix to `golden`, and writes it."""
    golden["scores"] = [(states(items)[-1] @ output.T + bias).tolist() for items in HISTORIES]
    golden["losses"] = {}
    hidden = torch.cat([states(items[:-1]) for items in HISTORIES])
    targets = torch.tensor([item for items in HISTORIES for item in items[1:]])
    negatives = torch.tensor([item for items in NEGATIVES for item in items])
    binary = torch.nn.functional.binary_cross_entropy_with_logits
    logits = hidden @ output.T + bias
    right, wrong = (logits.gather(1, items[:, None])[:, 0] for items in (targets, negatives))
    stacked = torch.cat([right, wrong])
    losses = {
        "softmax": torch.nn.functional.cross_entropy(logits, targets),
        "bce": binary(stacked, torch.cat([torch.ones_like(right), torch.zeros_like(wrong)])),
    }
    for kind, loss in losses.items():
        gradients = torch.autograd.grad(
            loss, list(weights.values()), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        golden["losses"][kind] = {
            "loss": loss.item(),
            "gradients": {key: g.flatten().tolist() for key, g in zip(weights, gradients)},
        }
    rounded = json.loads(json.dumps(golden), parse_float=lambda text: float(f"{float(text):.9g}"))
    rounded["weights"] = golden["weights"]
    path = pathlib.Path(__file__).parent / name
    path.write_text(json.dumps(rounded, separators=(",", ":")) + "\n")


def golden_of(weights, **shape):
    return {
        "shape": {
            "model_type": "sasrec",
            "num_items": ITEMS,
            "max_length": POSITIONS,
            "hidden_size": WIDTH,
            **shape,
        },
        "histories": HISTORIES,
        "negatives": NEGATIVES,
        "weights": {name: value.flatten().tolist() for name, value in weights.items()},
    }


def main():
    generator = torch.Generator().manual_seed(11)
    weights = make_weights(generator)
    golden = golden_of(weights, num_hidden_layers=LAYERS, num_attention_heads=HEADS, tie_word_embeddings=True)
    table = weights["item_embedding.weight"]
    write("sasrec.json", golden, weights, lambda items: states(weights, items), table, 0)

    weights = make_reference_weights(generator)
    golden = golden_of(
        weights,
        num_hidden_layers=1,
        num_attention_heads=1,
        tie_word_embeddings=False,
        output_bias=True,
        block="reference",
    )
    output, bias = weights["output.weight"], weights["output.bias"][:, 0]
    write("sasrec_reference.json", golden, weights, lambda items: reference_states(weights, items), output, bias)


if __name__ == "__main__":
    main()
