"""Writes gru4rec.json: a tiny model over item numbers, its scores, losses and gradients, double precision.

Run in this folder: python make_item_models.py
GRU4Rec (Hidasi et al. 2016, arXiv:1511.06939): item embedding, torch.nn.GRU, dot products with the item embedding.
Histories stand alone, so nothing is padded.
"""

import json
import pathlib

import torch

ITEMS, POSITIONS, WIDTH, LAYERS = 13, 7, 8, 2
HISTORIES = [[3, 0, 12, 3, 7, 5, 9], [1, 4], [8, 2, 6, 11]]
NEGATIVES = [[2, 5, 1, 1, 0, 10], [7], [4, 9, 0]]


def single(*shape, generator, scale):
    """Random values that single precision holds exactly."""
    return (torch.randn(*shape, generator=generator) * scale).float().double()


def make(shapes, seed):
    """Parameters by name, {name: (shape, scale, mean)}."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.nn.Parameter(mean + single(*shape, generator=generator, scale=scale))
        for name, (shape, scale, mean) in shapes.items()
    }


def gru4rec_weights():
    shapes = {"item_embedding.weight": ((ITEMS, WIDTH), 0.7, 0)}
    for layer in range(LAYERS):
        for part in ("ih", "hh"):
            shapes[f"gru.{layer}.weight_{part}"] = ((3 * WIDTH, WIDTH), 0.5, 0)
            shapes[f"gru.{layer}.bias_{part}"] = ((1, 3 * WIDTH), 0.3, 0)
    return make(shapes, 12)


def gru4rec_states(weights, items):
    gru = torch.nn.GRU(WIDTH, WIDTH, LAYERS).double()
    own = {
        f"{part}_l{layer}": weights[f"gru.{layer}.{part}"].reshape(getattr(gru, f"{part}_l{layer}").shape)
        for layer in range(LAYERS)
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    x = weights["item_embedding.weight"][items]
    return torch.func.functional_call(gru, own, (x,))[0]


def write(name, shape, weights, states, output):
    table = weights[output]
    golden = {
        "shape": {"model_type": name, "num_items": ITEMS, "max_length": POSITIONS, "hidden_size": WIDTH, **shape},
        "histories": HISTORIES,
        "negatives": NEGATIVES,
        "weights": {key: value.flatten().tolist() for key, value in weights.items()},
        "scores": [(states(weights, items)[-1] @ table.T).tolist() for items in HISTORIES],
        "losses": {},
    }
    hidden = torch.cat([states(weights, items[:-1]) for items in HISTORIES])
    targets = torch.tensor([item for items in HISTORIES for item in items[1:]])
    negatives = torch.tensor([item for items in NEGATIVES for item in items])
    right, wrong = ((hidden * table[items]).sum(1) for items in (targets, negatives))
    losses = {
        "softmax": torch.nn.functional.cross_entropy(hidden @ table.T, targets),
        "bce": torch.nn.functional.binary_cross_entropy_with_logits(
            torch.cat([right, wrong]), torch.cat([torch.ones_like(right), torch.zeros_like(wrong)])
        ),
    }
    for key, loss in losses.items():
        gradients = torch.autograd.grad(loss, list(weights.values()), retain_graph=True)
        golden["losses"][key] = {
            "loss": loss.item(),
            "gradients": {each: g.flatten().tolist() for each, g in zip(weights, gradients)},
        }
    rounded = json.loads(json.dumps(golden), parse_float=lambda text: float(f"{float(text):.9g}"))
    rounded["weights"] = golden["weights"]
    path = pathlib.Path(__file__).parent / f"{name}.json"
    path.write_text(json.dumps(rounded, separators=(",", ":")) + "\n")


def main():
    shape = {"num_hidden_layers": LAYERS, "tie_word_embeddings": True}
    write("gru4rec", shape, gru4rec_weights(), gru4rec_states, "item_embedding.weight")


if __name__ == "__main__":
    main()
