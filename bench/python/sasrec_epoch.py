"""Epochs of SASRec in PyTorch on the CPU in the layout of its authors, for sasrec.ts.

python sasrec_epoch.py FOLDER

FOLDER holds model.safetensors of a SASRec and epoch.json: its shape, the sequences of item numbers and the settings.
A batch is so many sequences, each padded to the longest history; every item but the first is a target, and logits are
computed where there is one. Items before a sequence's end never see the padding behind it, which the causal mask hides.
A line on standard input asks for an epoch: "check" for the loss alone, without dropout, or "train" with Adam in another
order each time. The answer is a line "bench:" with the mean loss of a target, the steps and what it cost.
"""

import json
import pathlib
import sys

import safetensors.torch
import torch
from serve import serve
from torch.nn.functional import cross_entropy, dropout, embedding, layer_norm, linear

EPS = 1e-8


class Sasrec(torch.nn.Module):
    def __init__(self, folder, shape, rate):
        super().__init__()
        state = safetensors.torch.load_file(folder / "model.safetensors")
        self.weights = torch.nn.ParameterDict(
            {name.replace(".", "/"): tensor.clone() for name, tensor in state.items()}
        )
        self.layers, self.heads, self.rate = shape["num_hidden_layers"], shape["num_attention_heads"], rate

    def __getitem__(self, name):
        return self.weights[name.replace(".", "/")]

    def norm(self, x, name):
        weight, bias = self[f"{name}.weight"].flatten(), self[f"{name}.bias"].flatten()
        return layer_norm(x, weight.shape, weight, bias, EPS)

    def dense(self, x, name):
        return linear(x, self[f"{name}.weight"], self[f"{name}.bias"].flatten())

    def drop(self, x):
        return dropout(x, self.rate, self.training)

    def forward(self, items, targets):
        """items and targets (B, S), targets -1 where there is none -> the sum of the losses of the targets."""
        table = self["item_embedding.weight"]
        x = self.drop(embedding(items, table) + self["position_embedding.weight"][: items.shape[1]])
        for layer in range(self.layers):
            name = f"layers.{layer}"
            qkv = self.dense(self.norm(x, f"{name}.attention_norm"), f"{name}.qkv")
            heads = [part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=2)]
            attended = torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
            x = x + self.drop(attended.transpose(1, 2).flatten(2))
            wide = torch.relu(self.dense(self.norm(x, f"{name}.feed_forward_norm"), f"{name}.feed_forward.0"))
            x = x + self.drop(self.dense(wide, f"{name}.feed_forward.1"))
        used = targets >= 0
        return cross_entropy(self.norm(x[used], "norm") @ table.T, targets[used], reduction="sum")


def main():
    folder = pathlib.Path(sys.argv[1])
    work = json.loads((folder / "epoch.json").read_text())
    model = Sasrec(folder, work["shape"], work["dropout"])
    optimizer = torch.optim.Adam(model.parameters(), lr=work["learningRate"])
    sequences = work["sequences"]
    items = torch.zeros(len(sequences), work["shape"]["max_length"], dtype=torch.long)
    targets = torch.full_like(items, -1)
    for row, sequence in enumerate(sequences):
        items[row, : len(sequence) - 1] = torch.tensor(sequence[:-1])
        targets[row, : len(sequence) - 1] = torch.tensor(sequence[1:])
    count = (targets >= 0).sum().item()

    def epoch(train):
        model.train(train)
        order = torch.randperm(len(items)) if train else torch.arange(len(items))
        total = 0.0
        for rows in order.split(work["batch"]):
            with torch.set_grad_enabled(train):
                loss = model(items[rows], targets[rows])
            if train:
                optimizer.zero_grad()
                (loss / (targets[rows] >= 0).sum()).backward()
                optimizer.step()
            total += loss.item()
        return total / count

    steps = -(-len(items) // work["batch"])
    serve(lambda line: {"loss": epoch(line.strip() == "train"), "steps": steps})


if __name__ == "__main__":
    main()
