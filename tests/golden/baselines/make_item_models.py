"""Writes gru4rec.json, hstu.json and caser.json: tiny models over item numbers, their scores, losses and gradients.

Run in this folder: python make_item_models.py
GRU4Rec (Hidasi et al. 2016, arXiv:1511.06939): item embedding, torch.nn.GRU, dot products with the item embedding.
HSTU (Zhai et al. 2024, arXiv:2402.17152): equations 1 to 3 with a bias of the distance, weights divided by the longest
history as in the authors' code, and a norm before dot products.
Caser (Tang and Wang 2018, arXiv:1809.07426): torch's convolutions over the latest ORDER items, zeros before the first,
without a vector a user and without windows that hold no item; output vectors of its own.
All in double precision. Histories stand alone.
"""

import json
import pathlib

import torch

ITEMS, POSITIONS, WIDTH, LAYERS, HEADS, EPS = 13, 7, 8, 2, 2, 1e-6
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


def add_norm(shapes, name):
    shapes[f"{name}.weight"] = ((1, WIDTH), 0.25, 1)
    shapes[f"{name}.bias"] = ((1, WIDTH), 0.25, 0)


def add_dense(shapes, name, rows):
    shapes[f"{name}.weight"] = ((rows, WIDTH), 0.5, 0)
    shapes[f"{name}.bias"] = ((1, rows), 0.3, 0)


def norm(weights, x, name):
    own = (weights[f"{name}.{part}"][0] for part in ("weight", "bias"))
    return torch.nn.functional.layer_norm(x, (WIDTH,), *own, EPS)


def dense(weights, x, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def hstu_weights():
    shapes = {"item_embedding.weight": ((ITEMS, WIDTH), 0.7, 0)}
    for layer in range(LAYERS):
        name = f"layers.{layer}"
        add_norm(shapes, f"{name}.norm")
        add_dense(shapes, f"{name}.u", WIDTH)
        add_dense(shapes, f"{name}.qkv", 3 * WIDTH)
        shapes[f"{name}.relative_bias"] = ((HEADS, POSITIONS), 0.6, 0)
        add_norm(shapes, f"{name}.attention_norm")
        add_dense(shapes, f"{name}.output", WIDTH)
    add_norm(shapes, "norm")
    return make(shapes, 13)


def hstu_states(weights, items):
    silu = torch.nn.functional.silu
    x = weights["item_embedding.weight"][items]
    places = torch.arange(len(items))
    distance = places[:, None] - places[None, :]
    for layer in range(LAYERS):
        name = f"layers.{layer}"
        normed = norm(weights, x, f"{name}.norm")
        u = silu(dense(weights, normed, f"{name}.u"))
        heads = [part.chunk(HEADS, dim=1) for part in silu(dense(weights, normed, f"{name}.qkv")).chunk(3, dim=1)]
        attended = []
        for bias, q, k, v in zip(weights[f"{name}.relative_bias"], *heads):
            scores = silu(q @ k.T + bias[distance.clamp(min=0)]) / POSITIONS
            attended.append((scores * (distance >= 0)) @ v)
        attended = norm(weights, torch.cat(attended, dim=1), f"{name}.attention_norm")
        x = x + dense(weights, attended * u, f"{name}.output")
    return norm(weights, x, "norm")


ORDER, HORIZONTAL, VERTICAL = 5, 3, 2


def caser_weights():
    shapes = {
        "item_embedding.weight": ((ITEMS, WIDTH), 0.7, 0),
        "output.weight": ((ITEMS, WIDTH), 0.7, 0),
        "vertical.weight": ((VERTICAL, ORDER), 0.5, 0),
        "hidden.vertical.weight": ((WIDTH, VERTICAL * WIDTH), 0.5, 0),
        "hidden.bias": ((1, WIDTH), 0.3, 0),
    }
    for height in range(1, ORDER + 1):
        shapes[f"horizontal.{height}.weight"] = ((HORIZONTAL, height * WIDTH), 0.4, 0)
        shapes[f"horizontal.{height}.bias"] = ((1, HORIZONTAL), 0.3, 0)
        shapes[f"hidden.horizontal.{height}.weight"] = ((WIDTH, HORIZONTAL), 0.5, 0)
    return make(shapes, 14)


def caser_state(weights, items):
    """State after the last of some items."""
    conv = torch.nn.functional.conv2d
    seen = items[-ORDER:]
    padding = torch.zeros(ORDER - len(seen), WIDTH, dtype=torch.double)
    image = torch.cat([padding, weights["item_embedding.weight"][seen]])[None, None]
    vertical = conv(image, weights["vertical.weight"].reshape(VERTICAL, 1, ORDER, 1)).flatten()
    hidden = weights["hidden.vertical.weight"] @ vertical + weights["hidden.bias"][0]
    for height in range(1, ORDER + 1):
        filters = weights[f"horizontal.{height}.weight"].reshape(HORIZONTAL, 1, height, WIDTH)
        values = conv(image, filters, weights[f"horizontal.{height}.bias"][0])[0, :, :, 0]
        values = values[:, -min(len(seen), ORDER - height + 1) :]
        found = torch.relu(values).max(1).values
        hidden = hidden + weights[f"hidden.horizontal.{height}.weight"] @ found
    return torch.relu(hidden)


def caser_states(weights, items):
    return torch.stack([caser_state(weights, items[: end + 1]) for end in range(len(items))])


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
    write("hstu", {**shape, "num_attention_heads": HEADS}, hstu_weights(), hstu_states, "item_embedding.weight")
    shape = {"markov_order": ORDER, "horizontal_filters": HORIZONTAL, "vertical_filters": VERTICAL}
    write("caser", {**shape, "tie_word_embeddings": False}, caser_weights(), caser_states, "output.weight")


if __name__ == "__main__":
    main()
