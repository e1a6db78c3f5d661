"""Writes sid_tokenizer.json: ids of texts with SIDs, by transformers from a tokenizer.json that genrec extended.

Run in this folder: python make_sid_tokenizer.py [FOLDER of the Qwen2.5 tokenizer]
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

from transformers import AutoTokenizer, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "<a_12><b_3><c_255>",
    "bought <a_1><b_3><c_0>, <a_12><b_3><c_255> and\n<a_120>",
    "<a_1>\u0338 <a_2> <a_12 > <a_12><a_12",
    "x<a_120>y <b_3>  <b_3>\n",
    'Which item is called "1/2 in. caf\u00e9 bolts (10-pack)"?\n<c_0><|endoftext|>\n',
    " <c_255> ",
]


def case(*files):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(["deno", "run", "-A", HERE / "make_sid_tokenizer.ts", *files, folder], check=True)
        content = (folder / "tokenizer.json").read_bytes()
        fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        ids = [fast.encode(text, add_special_tokens=False) for text in TEXTS]
        if len(files) == 2:
            auto = AutoTokenizer.from_pretrained(folder)
            assert [auto.encode(text, add_special_tokens=False) for text in TEXTS] == ids
            assert auto.decode(ids[0], skip_special_tokens=True) == TEXTS[0]
            assert len(auto) == len(fast)
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "length": len(fast),
        "cases": [{"text": text, "ids": row} for text, row in zip(TEXTS, ids)],
    }


def main():
    path = HERE / "sid_tokenizer.json"
    golden = json.loads(path.read_text()) if path.exists() else {}
    golden["tiny"] = case(HERE.parent / "embedding" / "qwen2_embedding" / "tokenizer.json")
    if len(sys.argv) > 1:
        folder = pathlib.Path(sys.argv[1])
        golden["qwen2.5"] = case(folder / "tokenizer.json", folder / "tokenizer_config.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
