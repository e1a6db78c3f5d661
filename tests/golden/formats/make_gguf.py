"""Blocks of each number format of GGUF and what the package gguf reads from them: gguf_blocks.json."""

import base64
import json
import pathlib

import gguf
import numpy as np

random = np.random.default_rng(5)
out = {"read": {}, "written": {}}
for name in ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"]:
    kind = gguf.GGMLQuantizationType[name]
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = 6 if numbers > 1 else 20
    data = random.integers(0, 256, (blocks, size), dtype=np.uint8)
    # Any bits are a block, but the scales are halves: ordinary ones, a zero and a negative one.
    scales = np.array([0.013, 0, -2.5, 1e-4, 31.0, 0.5], dtype=np.float16)
    if name in ["Q8_0", "Q4_0"]:
        data[:, :2] = scales.view(np.uint8).reshape(-1, 2)
    if name in ["Q4_1", "Q4_K"]:
        data[:, :2] = scales.view(np.uint8).reshape(-1, 2)
        data[:, 2:4] = scales[::-1].copy().view(np.uint8).reshape(-1, 2)
    if name == "Q6_K":
        data[:, -2:] = scales.view(np.uint8).reshape(-1, 2)
    if numbers == 1:
        values = (random.standard_normal(blocks) * 3).astype(np.float32)
        data = gguf.quants.quantize(values, kind).view(np.uint8)
    flat = data.reshape(-1) if numbers > 1 else data
    source = flat.view(np.float32) if name == "F32" else flat.view(np.float16) if name == "F16" else flat
    values = gguf.quants.dequantize(source, kind)
    out["read"][name] = {
        "bytes": base64.b64encode(flat.tobytes()).decode(),
        "values": base64.b64encode(values.astype(np.float32).tobytes()).decode(),
    }
values = (random.standard_normal((8, 32)) * np.logspace(-6, 3, 8)[:, None]).astype(np.float32)
values[3] = 0
values[4, 0] = 127.0  # a scale of 1: halves are rounded
values[4, 1:] = np.clip(np.arange(31) + 0.5, None, 127)
for name in ["F32", "F16", "Q8_0"]:
    packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType[name])
    out["written"][name] = {
        "values": base64.b64encode(values.tobytes()).decode(),
        "bytes": base64.b64encode(packed.tobytes()).decode(),
    }
pathlib.Path(__file__).with_name("gguf_blocks.json").write_text(json.dumps(out, indent=1) + "\n")
