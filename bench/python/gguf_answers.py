"""What llama.cpp answers to the cases of bench/parity/gguf.ts: python gguf_answers.py FOLDER

FOLDER holds cases.json, ids.gbnf and texts.gbnf, and the GGUF files that cases.json names. Written are, for each file
NAME.gguf, NAME.json (tokens of the prompts, the answer by each grammar, lists by beams, answers that were drawn by the
grammar of ids) and NAME.safetensors (logits after each prompt). Needs llama-cpp-python, numpy and safetensors.
"""

import importlib.metadata
import json
import pathlib
import sys

import llama_cpp
import numpy
from safetensors.numpy import save_file


default_model_params = llama_cpp.llama_model_default_params


def without_amx():
    """Where a processor has AMX, llama.cpp's kernels for it ended the process, also with files that the package gguf wrote."""
    params = default_model_params()
    params.use_extra_bufts = False
    return params


# What the class Llama asks.
llama_cpp.llama_cpp.llama_model_default_params = without_amx


class Model:
    def __init__(self, path, cases):
        longest = max(len(prompt["tokens"]) for prompt in cases["prompts"])
        depth = max(len(sid) for sid in cases["sids"])
        self.llama = llama_cpp.Llama(
            str(path), n_ctx=longest + depth + 8, n_batch=longest + depth + 8, n_threads=1, n_threads_batch=1, verbose=False
        )
        self.depth = depth

    def tokens(self, text):
        return self.llama.tokenize(text.encode(), add_bos=False, special=True)

    def logits(self, tokens):
        """Logits (V) after the last token."""
        self.llama.reset()
        self.llama.eval(tokens)
        pointer = llama_cpp.llama_get_logits_ith(self.llama.ctx, -1)
        return numpy.ctypeslib.as_array(pointer, (self.llama.n_vocab(),)).copy()

    def written(self, tokens, grammar, seed=0, **sampling):
        """Tokens that are written under the grammar, and their text."""
        self.llama.set_seed(seed)
        written = []
        ends = self.llama.token_eos()
        rules = llama_cpp.LlamaGrammar.from_string(grammar, verbose=False)
        self.llama.reset()
        for token in self.llama.generate(tokens, grammar=rules, repeat_penalty=1.0, **sampling):
            if token == ends or llama_cpp.llama_vocab_is_eog(self.llama._model.vocab, token):
                break
            written.append(int(token))
        text = self.llama.detokenize(written, special=True).decode()
        return {"tokens": written, "text": text}

    def beams(self, prompt, sids, count):
        """The best SIDs by the sums of their tokens' log-probabilities over the whole vocabulary."""
        children = {}
        for sid in sids:
            for level, token in enumerate(sid):
                children.setdefault(tuple(sid[:level]), set()).add(token)
        found = [((), 0.0)]
        for _ in range(self.depth):
            grown = [one for one in found if one[0] not in children]  # a SID that is whole stays as it is
            for tokens, score in found:
                if tokens not in children:
                    continue
                logits = self.logits(prompt + list(tokens)).astype(numpy.float64)
                shares = logits - logits.max()
                shares -= numpy.log(numpy.exp(shares).sum())
                grown += [(tokens + (token,), score + shares[token]) for token in children[tokens]]
            found = sorted(grown, key=lambda one: -one[1])[:count]
        return {"tokens": [list(tokens) for tokens, _ in found], "scores": [float(score) for _, score in found]}


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = json.loads((folder / "cases.json").read_text())
    ids, texts = ((folder / f"{name}.gbnf").read_text() for name in ("ids", "texts"))
    for name in cases["files"]:
        model = Model(folder / f"{name}.gguf", cases)
        asked = [prompt["tokens"] for prompt in cases["prompts"]]
        found = {
            "version": importlib.metadata.version("llama-cpp-python"),
            "prompts": [model.tokens(prompt["text"]) for prompt in cases["prompts"]],
            "greedy": [model.written(prompt, ids, temp=0.0, top_k=1) for prompt in asked],
            "spelled": [model.written(prompt, texts, temp=0.0, top_k=1) for prompt in asked],
            "beams": [model.beams(prompt, cases["sids"], cases["beams"]) for prompt in asked],
            "drawn": [
                model.written(asked[i % len(asked)], ids, cases["seed"] + i, temp=cases["temperature"], top_k=0, top_p=1.0, min_p=0.0)
                for i in range(cases["draws"])
            ],
        }
        (folder / f"{name}.json").write_text(json.dumps(found))
        save_file({"logits": numpy.stack([model.logits(prompt) for prompt in asked])}, folder / f"{name}.safetensors")
        print(name, "done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
