"""Writes lora/: adapters that Hugging Face PEFT put on the tiny decoder of qwen2/, with its logits and gradients.

Run in this folder, after make_decoder.py: python make_lora.py
A and B are random, so that no product is zero. Dropout is 0. Then `deno run -A make_lora.ts DIR` writes the second
adapter again with our own code, and `python make_lora.py DIR` has PEFT load that directory: exported.json.
"""

import hashlib
import json
import pathlib
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import Qwen2ForCausalLM

HERE = pathlib.Path(__file__).parent
BASE = HERE / "qwen2"
OUT = HERE / "lora"
UNLABELLED = -100
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "all": LoraConfig(r=4, lora_alpha=6, target_modules=ALL, task_type="CAUSAL_LM"),
    "some": LoraConfig(
        r=3, lora_alpha=5, use_rslora=True, target_modules=["k_proj", "v_proj", "up_proj"], task_type="CAUSAL_LM"
    ),
}


def rounded(values):
    return [float(f"{value:.8g}") for value in values]


def base_model():
    return Qwen2ForCausalLM.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager").eval()


def make(name, config, seed):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = get_peft_model(base_model(), config).eval()
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    golden = json.loads((BASE / "golden.json").read_text())
    total, logits = torch.zeros(()), []
    for sequence in golden["sequences"]:
        out = model(torch.tensor(sequence["tokens"])[None]).logits[0]
        targets = torch.tensor(sequence["targets"])
        total = total + torch.nn.functional.cross_entropy(out, targets, ignore_index=UNLABELLED, reduction="sum")
        logits.append(rounded(out[-1].tolist()))
    loss = total / golden["labelled"]
    loss.backward()
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config_path = folder / "adapter_config.json"
    saved = json.loads(config_path.read_text())
    saved["base_model_name_or_path"] = "qwen2"  # without the machine's path
    saved["target_modules"].sort()  # a set: its order differs from run to run
    config_path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    gradients = {
        key.replace(".default", ""): value.grad.contiguous()
        for key, value in model.named_parameters()
        if value.grad is not None
    }
    save_file(gradients, folder / "grads.safetensors", metadata={"format": "pt"})
    numbers = {"loss": float(f"{loss.item():.8g}"), "lastLogits": logits}
    (folder / "golden.json").write_text(json.dumps(numbers, separators=(",", ":")) + "\n")


def check_export(directory):
    model = PeftModel.from_pretrained(base_model(), directory).eval()
    merged = PeftModel.from_pretrained(base_model(), directory).merge_and_unload().eval()
    tokens = json.loads((BASE / "golden.json").read_text())["sequences"][0]["tokens"]
    logits = model(torch.tensor(tokens)[None]).logits[0, -1]
    assert torch.allclose(logits, merged(torch.tensor(tokens)[None]).logits[0, -1], atol=1e-4)
    read = {
        "sha256": {
            file: hashlib.sha256((directory / file).read_bytes()).hexdigest()
            for file in ["adapter_config.json", "adapter_model.safetensors"]
        },
        "lastLogits": rounded(logits.tolist()),
    }
    (OUT / "exported.json").write_text(json.dumps(read, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        check_export(pathlib.Path(sys.argv[1]))
    else:
        for seed, (name, config) in enumerate(CASES.items(), start=21):
            make(name, config, seed)
