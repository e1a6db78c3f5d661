"""Writes saved.json: logits that Hugging Face transformers computes from directories that genrec saved.

Run in this folder: python make_saved.py
Needs Deno: the directories are made by make_saved.ts and thrown away. What is kept of them are the hashes of their
files, so that the test can tell that it saves the same bytes.
"""

import hashlib
import json
import pathlib
import subprocess
import tempfile

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from make_decoder import rounded

HERE = pathlib.Path(__file__).parent
TEXT = "Stainless steel hex bolt, 3/8 inch"


@torch.no_grad()
def read(folder, prompts):
    stored = AutoModelForCausalLM.from_pretrained(folder)
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not any(info.values()), info
    return {
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())
        },
        "dtype": str(stored.dtype),
        "rope_parameters": AutoConfig.from_pretrained(folder).rope_parameters,
        "ids": AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"],
        "logits": [rounded(model(torch.tensor([ids])).logits[0, -1].tolist()) for ids in prompts],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["deno", "run", "-A", "make_saved.ts", name], cwd=HERE, check=True)
        folder = pathlib.Path(name)
        prompts = json.loads((folder / "prompts.json").read_text())
        models = sorted(path for path in folder.iterdir() if path.is_dir())
        golden = {path.name: read(path, prompts) for path in models}
    (HERE / "saved.json").write_text(json.dumps({"text": TEXT, "models": golden}, separators=(",", ":")) + "\n")
