"""A training step of transformers' Qwen2 in PyTorch on the CPU, for peer_torch.ts.

python sft_step.py FOLDER

FOLDER holds step.json (shape of the model, optimizer, sequences, places of the weights) and weights.bin (float32). Rows
are padded to the longest and logits taken at every position, as transformers' Trainer does. A line on standard input is
a number of steps to run; the answer is a line "bench:" with the loss of each and what they cost.
"""

import json
import os
import pathlib
import sys

import numpy
import torch
import transformers
from serve import serve


def model_of(step, folder):
    config = transformers.Qwen2Config(
        vocab_size=step["vocabulary"],
        hidden_size=step["width"],
        intermediate_size=step["intermediate"],
        num_hidden_layers=step["layers"],
        num_attention_heads=step["heads"],
        num_key_value_heads=step["heads"],
        max_position_embeddings=max(step["lengths"]),
        rms_norm_eps=step["normEps"],
        rope_theta=step["ropeTheta"],
        tie_word_embeddings=False,
        attn_implementation="sdpa",
        use_cache=False,
    )
    model = transformers.Qwen2ForCausalLM(config).float().train()
    for layer in model.model.layers:
        for part in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
            part.bias = None  # as for the other contenders
    weights = numpy.fromfile(folder / "weights.bin", dtype="<f4")
    state = {}
    for name, (start, shape) in step["parameters"].items():
        size = int(numpy.prod(shape))
        state[name] = torch.from_numpy(weights[start : start + size].reshape(shape).copy())
    model.load_state_dict(state)
    return model


def batch_of(step):
    longest = max(step["lengths"])
    shape = (len(step["sequences"]), longest)
    tokens = torch.zeros(shape, dtype=torch.long)
    mask = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, -100)
    for row, sequence in enumerate(step["sequences"]):
        tokens[row, : len(sequence["tokens"])] = torch.tensor(sequence["tokens"])
        mask[row, : len(sequence["tokens"])] = 1
        for target in sequence["targets"]:
            labels[row, target["at"]] = target["token"]
    return tokens, mask, labels


def main():
    torch.set_num_threads(os.cpu_count())
    folder = pathlib.Path(sys.argv[1])
    step = json.loads((folder / "step.json").read_text())
    model = model_of(step, folder)
    settings = step["optimizer"]
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings["weightDecay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=settings["learningRate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["eps"],
    )
    tokens, mask, labels = batch_of(step)

    def once():
        logits = model(input_ids=tokens, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["maxGradNorm"])
        optimizer.step()
        return loss

    serve(lambda line: {"losses": [loss.item() for loss in [once() for _ in range(int(line))]]})


if __name__ == "__main__":
    main()
