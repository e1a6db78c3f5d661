"""A tiny model as a GGUF file, written by the package gguf, and what transformers makes of it: tiny.gguf, gguf.json."""

import json
import pathlib

import gguf
import numpy as np
import torch
import transformers

here = pathlib.Path(__file__).parent
json_tokenizer = json.loads((here / "../embedding/qwen2_embedding/tokenizer.json").read_text())
vocabulary = json_tokenizer["model"]["vocab"] | {t["content"]: t["id"] for t in json_tokenizer["added_tokens"]}
tokens = sorted(vocabulary, key=vocabulary.get)
special = {t["content"] for t in json_tokenizer["added_tokens"]}
hidden, inner, heads, kv = 64, 96, 4, 2

random = np.random.default_rng(3)
writer = gguf.GGUFWriter(here / "tiny.gguf", "llama")
writer.add_context_length(64)
writer.add_block_count(2)
writer.add_embedding_length(hidden)
writer.add_feed_forward_length(inner)
writer.add_head_count(heads)
writer.add_head_count_kv(kv)
writer.add_rope_freq_base(50000.0)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_vocab_size(len(tokens))
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list(tokens)
writer.add_token_types([3 if token in special else 1 for token in tokens])
writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in json_tokenizer["model"]["merges"]])
writer.add_eos_token_id(vocabulary["<|endoftext|>"])
writer.add_add_bos_token(False)

def add(name, shape, kind):
    values = random.standard_normal(shape).astype(np.float32) * 0.3
    if "norm" in name:
        values += 1
    data = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind])
    writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[kind])

add("token_embd.weight", (len(tokens), hidden), "Q8_0")
add("output_norm.weight", (hidden,), "F32")
for layer in range(2):
    for name, shape, kind in [
        ("attn_q.weight", (hidden, hidden), "Q4_0"),
        ("attn_k.weight", (hidden // 2, hidden), "F16"),
        ("attn_v.weight", (hidden // 2, hidden), "Q4_1"),
        ("attn_output.weight", (hidden, hidden), "F32"),
        ("ffn_gate.weight", (inner, hidden), "Q8_0"),
        ("ffn_up.weight", (inner, hidden), "Q4_1"),
        ("ffn_down.weight", (hidden, inner), "F16"),
        ("attn_norm.weight", (hidden,), "F32"),
        ("ffn_norm.weight", (hidden,), "F32"),
    ]:
        add(f"blk.{layer}.{name}", shape, kind)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

model = transformers.AutoModelForCausalLM.from_pretrained(here, gguf_file="tiny.gguf", dtype="float32").eval()
tokenizer = transformers.AutoTokenizer.from_pretrained(here, gguf_file="tiny.gguf")
texts = ["Blue Tape", "a steel rule, 30 cm", "né 東京<|endoftext|> x"]
ids = [tokenizer(text).input_ids for text in texts]
with torch.inference_mode():
    logits = [model(torch.tensor([row])).logits[0, -1].tolist() for row in ids]
work = {"texts": texts, "ids": ids, "logits": logits}
(here / "gguf.json").write_text(json.dumps(work) + "\n")
