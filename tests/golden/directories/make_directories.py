"""Writes directories.json: what transformers makes of legal and broken directories of tiny models.

Run in this folder: python make_directories.py [NUMBER FILE]
With a number of directories and a file, as many are written there instead: GENREC_DIRECTORIES=FILE makes the test read it.
"""

import base64
import json
import os
import pathlib
import random
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, logging
from transformers.utils import logging as hub_logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
hub_logging.disable_progress_bar()
torch.set_num_threads(1)

HERE = pathlib.Path(__file__).parent
SEED, IN_SUITE = 16, 30
WIDTH, INNER, BYTES = 16, 24, 256
PROMPT = [3, 65, 270, 1, 99, 266]
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4f" * 32 + "\nsize 988097824\n"
CONTENTS = ["<|end|>", "<m>", "ab", "a_1", "<pad>", "Cd", "  "]
TEXTS = [
    "cable aba ab", "a_12 x a_1", "ab\u0085ab", "x \u0085<m>\u3000 y", "x\ufeff<m>\ufeffy", "<|end|>  hex<pad>x",
    "CD cd Cd aCd", " ab<m>", "<m> <m>a_1", "caf\u00e9 ab\u0301", "", "  \n<pad>\t  <|end|>", "\u4e2dab_ 7ab7 -ab-",
]
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_characters():
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    table = dict(zip(kept, map(chr, kept))) | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


MERGES = ["a b", "h e", "he x", "c a", "ca b", "l e", "\u0120 a", "\u0120 x", "o f", "1 2", "_ 1"]


def tokenizer_json(pre_tokenizer, normalizer, added):
    vocab = byte_characters() + ["".join(merge.split()) for merge in MERGES] + ["\u2581"]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": byte_level(True, True),
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(vocab)}, "merges": MERGES,
        },
    }


def byte_level(prefix, regex):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


PRE_TOKENIZERS = [
    {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}, byte_level(False, False)]},
    byte_level(False, True),
    byte_level(True, True),
    {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
    {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": False},
]
NORMALIZERS = [None, None, {"type": "Lowercase"}, {"type": "NFC"}]
VOCAB = 256 + len(MERGES) + 1 + len(CONTENTS) + 2


def token(content, rng):
    special = content in ("<|end|>", "<pad>") or rng.random() < 0.2
    flags = {name: rng.random() < 0.3 for name in ("single_word", "lstrip", "rstrip")}
    return {"content": content, **flags, "normalized": not special and rng.random() < 0.6, "special": special}


def tensors(rng):
    shapes = {"model.embed_tokens.weight": (VOCAB, WIDTH), "lm_head.weight": (VOCAB, WIDTH), "model.norm.weight": (WIDTH,)}
    layer = "model.layers.0."
    for name in "qkvo":
        shapes[f"{layer}self_attn.{name}_proj.weight"] = (WIDTH, WIDTH)
    shapes |= {f"{layer}mlp.{name}_proj.weight": (INNER, WIDTH) for name in ("gate", "up")}
    shapes |= {f"{layer}mlp.down_proj.weight": (WIDTH, INNER)}
    shapes |= {f"{layer}{name}_layernorm.weight": (WIDTH,) for name in ("input", "post_attention")}
    numbers = np.random.default_rng(rng.randrange(2**32))
    # Multiples of 1 / 64, which every number format holds.
    return {name: numbers.integers(-60, 61, shape, dtype=np.int8) for name, shape in shapes.items()}


def config(tied, rng):
    dtype = rng.choice([{"torch_dtype": "float32"}, {"dtype": "float32"}, {"torch_dtype": "bfloat16"}, {}])
    ids = rng.choice([
        {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": -1}, {"eos_token_id": [2, 3]}, {"eos_token_id": 2},
        {"bos_token_id": None, "eos_token_id": 5, "pad_token_id": 0},
    ])
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCAB, "hidden_size": WIDTH,
        "intermediate_size": INNER, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "head_dim": 8, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        **({} if tied is None else {"tie_word_embeddings": tied}), **dtype, **ids,
    }


def variant(rng):
    """A directory as JSON: texts of files, and safetensors as {tensor: stored tensor}; what may be refused, and why."""
    tied = rng.choice([True, True, False, None])
    head = rng.choice(["own", "equal", "none"]) if tied else rng.choice(["own", "own", "own", "none"])
    stored = {name: name for name in BASE if name != "lm_head.weight"}
    if head != "none":
        stored["lm_head.weight"] = "lm_head.weight" if head == "own" else "model.embed_tokens.weight"
    if tied and head == "equal" and rng.random() < 0.4:
        del stored["model.embed_tokens.weight"]
    extra = rng.choice([None, None, "model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.7.mlp.up_proj.weight", "masked_bias"])
    if extra:
        stored[extra] = "model.norm.weight"
    if rng.random() < 0.06:
        del stored["model.layers.0.mlp.up_proj.weight"]
    prefix = rng.choice([""] * 8 + ["module.", "_orig_mod.", "base_model.model.", "-model."])
    if prefix == "-model.":
        stored = {name.removeprefix("model."): key for name, key in stored.items()}
    else:
        stored = {prefix + name: key for name, key in stored.items()}

    weights, files = {}, {"config.json": config(tied, rng)}
    names = sorted(stored)
    half = {f"model-0000{i + 1}-of-00002.safetensors": {name: stored[name] for name in names[i::2]} for i in range(2)}
    index = {"metadata": {}, "weight_map": {name: shard for shard, held in half.items() for name in held}}
    kind = rng.choice(["one"] * 4 + ["shards", "shards", "one and index", "shard missing", "pickle", "one and pickle", "lfs"])
    if kind in ("one", "one and index", "one and pickle"):
        weights["model.safetensors"] = stored
    if kind in ("shards", "shard missing"):
        weights = dict(list(half.items())[: 2 if kind == "shards" else 1])
    if kind in ("shards", "shard missing", "one and index"):
        files["model.safetensors.index.json"] = index
    if kind == "lfs":
        files["model.safetensors"] = LFS
    pickle = stored if kind in ("pickle", "one and pickle") else None
    adapter = rng.choice([None] * 12 + ["beside", "instead"])
    if adapter:
        files["adapter_config.json"] = {
            "peft_type": "LORA", "base_model_name_or_path": "BASE", "r": 1, "lora_alpha": 1, "lora_dropout": 0.0,
            "target_modules": ["q_proj"], "task_type": "CAUSAL_LM", "bias": "none",
        }
        if adapter == "instead":
            weights, pickle = {}, None
            files = {"adapter_config.json": files["adapter_config.json"]}
    return files, weights, pickle, rng.choice(["F32", "F16", "BF16"]), tokens(rng)


def tokens(rng):
    """Files of a tokenizer, with tokens wherever they may stand."""
    all_tokens = [token(content, rng) for content in CONTENTS]
    rng.shuffle(all_tokens)
    cut = rng.randint(2, len(all_tokens))
    own, others = all_tokens[:cut], all_tokens[cut:]
    first = 256 + len(MERGES) + 1
    ids = [first + i + (40 if rng.random() < 0.1 else 0) for i in range(len(own))]
    added = [{"id": index, **fields} for index, fields in zip(ids, own)]
    files = {"tokenizer.json": tokenizer_json(rng.choice(PRE_TOKENIZERS), rng.choice(NORMALIZERS), added)}
    written = lambda name: rng.choice([name, {"content": name, "lstrip": rng.random() < 0.5, "normalized": False}, {"__type": "AddedToken", **token(name, rng)}])
    roles = {"eos_token": "<|end|>"}
    if rng.random() < 0.6:
        roles["pad_token"] = rng.choice(["<pad>", "<|end|>"])
    if rng.random() < 0.3:
        roles["bos_token"] = rng.choice(["<m>", "ab"])
    place = rng.choice(["config", "config", "map", "both", "none"])
    setup = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if place in ("config", "both"):
        setup |= {role: written(name) for role, name in roles.items()}
    if place in ("map", "both"):
        renamed = roles if place == "map" else {**roles, "eos_token": "<pad>"}
        files["special_tokens_map.json"] = {
            role: name if rng.random() < 0.6 else {"content": name, "lstrip": False, "rstrip": rng.random() < 0.5, "normalized": False, "single_word": False}
            for role, name in renamed.items()
        }
    if rng.random() < 0.3:
        setup["additional_special_tokens"] = rng.sample(["<m>", "<x>", "ab"], 2)
    if rng.random() < 0.3:
        listed = rng.sample(all_tokens, rng.randint(1, len(all_tokens)))
        setup["added_tokens_decoder"] = {str(first + all_tokens.index(fields)): fields for fields in listed}
    elif others and rng.random() < 0.5:
        files["added_tokens.json"] = {fields["content"]: first + cut + i for i, fields in enumerate(others)}
    if place != "none" or rng.random() < 0.7:
        files["tokenizer_config.json"] = setup
    return files


def write(folder, files, weights, pickle, dtype):
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    of = lambda stored: {name: torch.from_numpy(BASE[key].astype(np.float32) / 64).to(DTYPES[dtype]) for name, key in stored.items()}
    for name, stored in weights.items():
        save_file(of(stored), folder / name, metadata={"format": "pt"})
    if pickle:
        torch.save(of(pickle), folder / "pytorch_model.bin")
    if "adapter_config.json" in files:
        layer = "base_model.model.model.layers.0.self_attn.q_proj"
        save_file({f"{layer}.lora_A.weight": torch.ones(1, WIDTH), f"{layer}.lora_B.weight": torch.ones(WIDTH, 1)}, folder / "adapter_model.safetensors")


DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def model_verdict(folder):
    try:
        model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".split("\n")[0][:120].replace(str(folder), "DIR")}
    missing = sorted(info["missing_keys"])
    if missing:
        return {"missing": missing[:3]}
    with torch.no_grad():
        logits = model(torch.tensor([PROMPT])).logits[0, -1]
    return {
        "tied": model.lm_head.weight is model.model.embed_tokens.weight,
        "unexpected": sorted(info["unexpected_keys"]),
        "logits": [round(float(value), 5) for value in logits[::7]],
    }


def tokenizer_verdict(folder):
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".split("\n")[0][:120].replace(str(folder), "DIR")}
    return {
        "length": len(tokenizer),
        **{role: getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad")},
        "ids": [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS],
    }


RNG = random.Random(SEED)
BASE = tensors(RNG)


def main():
    count, target = (int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else (IN_SUITE, HERE / "directories.json")
    # Tokenizers differ in few fields from one that is stored once.
    plain = tokenizer_json(None, None, [])
    cases = []
    for number in range(count):
        rng = random.Random(f"{SEED} {number}")
        files, weights, pickle, dtype, more = variant(rng)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write(folder, files | more, weights, pickle, dtype)
            model, tokenizer = model_verdict(folder), tokenizer_verdict(folder)
        changed = {key: value for key, value in more.pop("tokenizer.json").items() if value != plain[key]}
        cases.append({
            "number": number, "files": files | more, "tokenizer": changed, "weights": weights, "dtype": dtype,
            "pickled": pickle is not None, "model": model, "read": tokenizer,
        })
    stored = {name: {"shape": list(data.shape), "sixtyfourths": base64.b64encode(data.tobytes()).decode()} for name, data in BASE.items()}
    golden = {"prompt": PROMPT, "texts": TEXTS, "tokenizer": plain, "tensors": stored}
    body = ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases)
    head = json.dumps(golden, ensure_ascii=True)[:-1]
    pathlib.Path(target).write_text(f'{head}, "cases": [\n{body}\n]}}\n')
    told = lambda verdict: "error" if "error" in verdict else "missing" if "missing" in verdict else "loads"
    print(count, {kind: sum(told(case["model"]) == kind for case in cases) for kind in ("loads", "missing", "error")},
          {kind: sum(told(case["read"]) == kind for case in cases) for kind in ("loads", "error")})


if __name__ == "__main__":
    main()
