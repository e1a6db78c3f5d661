"""Writes rope.json: rotary frequencies and attention factors of Hugging Face transformers.

Run in this folder: python make_rope.py
The first three are what Llama 3.2 1B, Qwen2.5 7B at 128k tokens and DeepSeek-V2 state; the others turn single switches.
"""

import json
import pathlib

from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

HERE = pathlib.Path(__file__).parent
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32768)
CASES = [
    (
        64,
        131072,
        dict(
            rope_type="llama3",
            rope_theta=500000.0,
            factor=32.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=8192,
        ),
    ),
    (128, 131072, dict(**YARN, rope_theta=1000000.0)),
    (
        64,
        163840,
        dict(
            rope_type="yarn",
            rope_theta=10000.0,
            factor=40.0,
            original_max_position_embeddings=4096,
            beta_fast=32.0,
            beta_slow=1.0,
            mscale=0.707,
            mscale_all_dim=1.3,
        ),
    ),
    (64, 131072, dict(**YARN, rope_theta=1000000.0, truncate=False, attention_factor=1.5)),
    (16, 64, dict(rope_type="yarn", rope_theta=10000.0, factor=2.0)),
    (32, 4096, dict(rope_type="linear", rope_theta=10000.0, factor=2.5)),
    (32, 4096, dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
    (24, 4096, dict(rope_type="default", rope_theta=10000.0)),
]


def make(head_dim, max_position_embeddings, rope_parameters):
    config = LlamaConfig(
        hidden_size=2 * head_dim,
        num_attention_heads=2,
        head_dim=head_dim,
        max_position_embeddings=max_position_embeddings,
        rope_parameters=dict(rope_parameters),
    )
    rotary = LlamaRotaryEmbedding(config)
    return {
        "head_dim": head_dim,
        "max_position_embeddings": max_position_embeddings,
        "rope_parameters": rope_parameters,
        "frequencies": [float(f"{value:.8g}") for value in rotary.inv_freq.tolist()],
        "attention_factor": rotary.attention_scaling,
    }


if __name__ == "__main__":
    lines = [json.dumps(make(*case), separators=(",", ":")) for case in CASES]
    (HERE / "rope.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
