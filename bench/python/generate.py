"""Trie-constrained beam search of transformers' generate() in PyTorch on the CPU, for generate_peer.ts.

python generate.py FOLDER

FOLDER holds generate.json: the directory of a model, prompts and SIDs as token ids, the number of beams. Batches are
padded on the left, scores are sums of log-probabilities over the whole vocabulary; a SID is complete after its last
token, so that no step is spent on an end token. A line on standard input asks for some of the prompts:

{"start": 0, "end": 64, "batch": 32, "constraint": "table"}

An encoder-decoder with code tables (`code_sizes` in its config.json) is T5 with a vocabulary that joins the tables;
each place of a SID is normalised over its own level.

"function" is transformers' own prefix_allowed_tokens_fn, called for each beam; "table" is a logits processor that looks
all beams up at once. The answer is a line "bench:" with the tokens and scores of each prompt's SIDs, best first, and what
it cost.
"""

import json
import pathlib
import sys

import safetensors.torch
import torch
import transformers
from serve import serve


class Trie:
    def __init__(self, sids, vocabulary):
        self.depth = len(sids[0])
        if any(len(sid) != self.depth for sid in sids):
            raise SystemExit("generate.py needs SIDs of one length")
        nodes = {(): 0}
        self.children = {(): set()}
        edges = []
        for sid in sids:
            for level, token in enumerate(sid):
                prefix = tuple(sid[:level])
                node = nodes.setdefault((*prefix, token), len(nodes))
                edges.append((nodes[prefix], token, node))
                self.children.setdefault(prefix, set()).add(token)
        self.children = {prefix: sorted(tokens) for prefix, tokens in self.children.items()}
        # (nodes, V): the node behind each token, -1 where the trie has none.
        self.table = torch.full((len(nodes), vocabulary), -1, dtype=torch.int32)
        parents, tokens, targets = torch.tensor(edges).T
        self.table[parents, tokens] = targets.int()


class TableProcessor(transformers.LogitsProcessor):
    def __init__(self, trie, prompt_length):
        self.table = trie.table
        self.prompt_length = prompt_length

    def __call__(self, input_ids, scores):
        nodes = torch.zeros(len(input_ids), dtype=torch.long)
        for tokens in input_ids[:, self.prompt_length :].T:
            # Beams that do not exist yet hold any token; their scores are as good as minus infinity.
            nodes = self.table[nodes, tokens].long().clamp(min=0)
        return scores.masked_fill(self.table[nodes] < 0, -torch.inf)


class LevelT5(transformers.T5ForConditionalGeneration):
    """T5 that writes a token of the next level at each place: what has other logits than -inf."""

    @classmethod
    def load(cls, folder, config):
        state = safetensors.torch.load_file(folder / "model.safetensors")
        sizes = [1, *config.code_sizes]
        tables = [state.pop(f"token_embeddings.{level}.weight") for level in range(len(config.code_sizes))]
        state["shared.weight"] = torch.cat([state["shared.weight"], *tables])
        config.vocab_size = sum(sizes)
        config.scale_decoder_outputs = False
        model = cls(config)
        model.load_state_dict(state, strict=False)
        tokens = torch.arange(config.vocab_size)
        ends = torch.tensor(sizes).cumsum(0).tolist()
        model.others = [(tokens < start) | (tokens >= end) for start, end in zip(ends, ends[1:])]
        return model

    def forward(self, *args, past_key_values=None, **named):
        level = past_key_values.get_seq_length()
        out = super().forward(*args, past_key_values=past_key_values, **named)
        out.logits.masked_fill_(self.others[level], -torch.inf)
        return out


def model_of(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    if getattr(config, "code_sizes", None):
        return LevelT5.load(folder, config)
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="sdpa"
    )


def main():
    folder = pathlib.Path(sys.argv[1])
    work = json.loads((folder / "generate.json").read_text())
    model = model_of(pathlib.Path(work["model"])).eval()
    trie = Trie(work["sids"], model.config.vocab_size)
    model.generation_config = transformers.GenerationConfig(
        do_sample=False,
        num_beams=work["beams"],
        num_return_sequences=work["beams"],
        length_penalty=0.0,
        max_new_tokens=trie.depth,
        pad_token_id=0,
        eos_token_id=None,
        decoder_start_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
    )

    def constraint_of(kind, length):
        if kind == "table":
            return {"logits_processor": transformers.LogitsProcessorList([TableProcessor(trie, length)])}
        children = trie.children
        leaf = [0]  # a beam that does not exist yet must be allowed something
        return {
            "prefix_allowed_tokens_fn": lambda _, ids: children.get(tuple(ids[length:].tolist()), leaf)
        }

    def search(prompts, kind):
        longest = max(map(len, prompts))
        ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        # What stands before the SID: the prompt, or the start token of a decoder.
        length = 1 if model.config.is_encoder_decoder else longest
        found = model.generate(input_ids=ids, attention_mask=mask, **constraint_of(kind, length))
        shape = (len(prompts), work["beams"])
        tokens = found.sequences[:, length:].reshape(*shape, trie.depth)
        return tokens.tolist(), found.sequences_scores.reshape(shape).tolist()

    def ranked(line):
        request = json.loads(line)
        prompts = work["prompts"][request["start"] : request["end"]]
        tokens, scores = [], []
        with torch.inference_mode():
            for at in range(0, len(prompts), request["batch"]):
                some = search(prompts[at : at + request["batch"]], request["constraint"])
                tokens += some[0]
                scores += some[1]
        return {"tokens": tokens, "scores": scores}

    serve(ranked)


if __name__ == "__main__":
    main()
