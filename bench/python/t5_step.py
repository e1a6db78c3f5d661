"""Training steps of transformers' T5 over the codes of items in PyTorch on the CPU, for encoder_decoder.ts.

python t5_step.py FOLDER

FOLDER holds config.json and model.safetensors of an encoder-decoder with code tables, and step.json: the batch and the
settings of the optimizer. The layout is ETEGRec's: histories padded on the right to the longest of the batch, one table
for each level that is the output matrix of that level too, and the row of T5's own table as the start and the padding.
A line on standard input asks for steps, {"steps": 3, "dropout": true}, with the dropout of config.json or without; the
answer is a line "bench:" with the loss of each step, the rows of the padded batch and what it cost.
"""

import json
import pathlib
import sys

import safetensors.torch
import torch
import transformers
from serve import serve


class CodeT5(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        config = transformers.T5Config.from_pretrained(folder)
        config.use_cache = False
        self.t5 = transformers.T5ForConditionalGeneration(config)
        self.tables = torch.nn.ModuleList(
            torch.nn.Embedding(size, config.d_model) for size in config.code_sizes
        )
        state = safetensors.torch.load_file(folder / "model.safetensors")
        for level, table in enumerate(self.tables):
            table.weight.data = state.pop(f"token_embeddings.{level}.weight")
        missing, unexpected = self.t5.load_state_dict(state, strict=False)
        missing = [name for name in missing if "embed_tokens" not in name and name != "lm_head.weight"]
        if missing or unexpected:
            raise SystemExit(f"t5_step.py does not have {unexpected} or was not given {missing}")

    def forward(self, codes, mask, labels):
        """codes (B, S, L) with anything where mask (B, S) is False, labels (B, L) -> the mean loss."""
        start = self.t5.shared.weight[0]
        levels = range(len(self.tables))
        embedded = torch.stack([self.tables[level](codes[..., level]) for level in levels], dim=2)
        embedded = torch.where(mask[..., None, None], embedded, start).flatten(1, 2)
        token_mask = mask.repeat_interleave(len(self.tables), dim=1)
        encoded = self.t5.encoder(inputs_embeds=embedded, attention_mask=token_mask).last_hidden_state
        before = [start.expand(len(labels), -1)]
        before += [self.tables[level](labels[:, level]) for level in levels[:-1]]
        states = self.t5.decoder(
            inputs_embeds=torch.stack(before, dim=1),
            encoder_hidden_states=encoded,
            encoder_attention_mask=token_mask,
        ).last_hidden_state
        logits = torch.stack([states[:, level] @ self.tables[level].weight.T for level in levels], dim=1)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def main():
    folder = pathlib.Path(sys.argv[1])
    step = json.loads((folder / "step.json").read_text())
    settings = step["optimizer"]
    model = CodeT5(folder).float()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings["weightDecay"]},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=settings["learningRate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["eps"],
    )
    # Token 0 is the start; the codes of each level follow those of the level before.
    starts = torch.tensor([1, *model.t5.config.code_sizes[:-1]]).cumsum(0)
    labels = torch.tensor(step["targets"]) - starts
    longest = max(map(len, step["histories"]))
    codes = torch.zeros(len(labels), longest, labels.shape[1], dtype=torch.long)
    mask = torch.zeros(len(labels), longest, dtype=torch.bool)
    for row, history in enumerate(step["histories"]):
        codes[row, : len(history)] = torch.tensor(history) - starts
        mask[row, : len(history)] = True

    def once():
        loss = model(codes, mask, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings["maxGradNorm"])
        optimizer.step()
        return loss

    def steps(line):
        request = json.loads(line)
        model.train(request["dropout"])
        return {
            "losses": [loss.item() for loss in [once() for _ in range(request["steps"])]],
            "rows": {"encoder": mask.numel() * labels.shape[1], "decoder": labels.numel()},
        }

    serve(steps)


if __name__ == "__main__":
    main()
