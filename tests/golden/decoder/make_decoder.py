"""Writes qwen2/, qwen3/, llama/ and others: tiny random decoders of transformers with their logits, loss and gradients.

Run in this folder: python make_decoder.py
Every weight is random, norms and biases included, so that no term of the forward pass is trivially one or zero.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

HERE = pathlib.Path(__file__).parent
UNLABELLED = -100
LENGTHS = [7, 1, 12]
SHAPE = dict(
    vocab_size=61,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
SMALLER = {**SHAPE, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1}
SMALLEST = {**SMALLER, "vocab_size": 29, "num_hidden_layers": 1}
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=10000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
YARN = dict(rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=32, beta_fast=4.0)
MODELS = {
    "qwen2": (
        Qwen2ForCausalLM,
        Qwen2Config(**SHAPE, rope_theta=10000.0, rms_norm_eps=1e-6, tie_word_embeddings=True),
    ),
    "qwen3": (
        Qwen3ForCausalLM,
        Qwen3Config(**SHAPE, head_dim=16, rope_theta=1000000.0, rms_norm_eps=1e-5, tie_word_embeddings=False),
    ),
    "llama": (
        LlamaForCausalLM,
        LlamaConfig(
            **SMALLER, rope_parameters=LLAMA3, attention_bias=True, mlp_bias=True, tie_word_embeddings=False
        ),
    ),
    "llama_linear": (
        LlamaForCausalLM,
        LlamaConfig(
            **SMALLEST,
            rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0),
            tie_word_embeddings=True,
        ),
    ),
    "qwen2_yarn": (
        Qwen2ForCausalLM,
        Qwen2Config(**SMALLEST, rope_parameters=YARN, tie_word_embeddings=False),
    ),
    "qwen3_dynamic": (
        Qwen3ForCausalLM,
        Qwen3Config(
            **SMALLEST,
            head_dim=24,
            rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0),
            attention_bias=True,
            tie_word_embeddings=True,
        ),
    ),
}


def randomise(model, generator):
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator) * 0.2
        parameter.data = 1 + noise if "norm" in name else noise


def rounded(values):
    return [float(f"{value:.8g}") for value in values]


def make(name, model_class, config, seed):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    config._attn_implementation = "eager"
    model = model_class(config).float().eval()
    randomise(model, generator)

    sequences, total, count = [], torch.zeros(()), 0
    for length in LENGTHS:
        tokens = torch.randint(3, config.vocab_size, (length,), generator=generator)
        targets = torch.randint(3, config.vocab_size, (length,), generator=generator)
        targets[:-1] = tokens[1:]
        # Every third position carries no label; the last always does.
        targets[[at for at in range(length - 1) if at % 3 == 1]] = UNLABELLED
        logits = model(tokens[None]).logits[0]
        total = total + torch.nn.functional.cross_entropy(logits, targets, ignore_index=UNLABELLED, reduction="sum")
        count += int((targets != UNLABELLED).sum())
        sequences.append(
            {
                "tokens": tokens.tolist(),
                "targets": targets.tolist(),
                "logits": [rounded(row) for row in logits.tolist()],
            }
        )
    loss = total / count
    loss.backward()

    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    gradients = {key: value.grad.contiguous() for key, value in model.named_parameters()}
    save_file(gradients, folder / "grads.safetensors", metadata={"format": "pt"})
    golden = {"labelled": count, "loss": float(f"{loss.item():.8g}"), "sequences": sequences}
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for seed, (name, (model_class, config)) in enumerate(MODELS.items(), start=7):
        make(name, model_class, config, seed)
