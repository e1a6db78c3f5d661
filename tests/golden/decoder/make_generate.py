"""Writes generate.json: constrained beam search of transformers, with a generation_config.json for each of its models.

Run in this folder, after make_decoder.py: python make_generate.py
`generate` sees no more of a catalogue than `prefix_allowed_tokens_fn`. With a length penalty of 0, scores are sums of
log-probabilities over the whole vocabulary. SIDs of different lengths end in one of two ways: in a token that none
continues with, passed as one of the end tokens ("leaves"), or in an end token of their own ("eos"). Where beams are
fewer than SIDs, transformers forgets a finished SID that is not among the best `num_beams` candidates of its step.
With a repetition penalty, log-probabilities are normalised anew after it and before the catalogue is looked at, as the
processor of MIMIGenRec does it.
"""

import json
import pathlib
import random

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LogitsProcessor, LogitsProcessorList

HERE = pathlib.Path(__file__).parent
EOS = 2
FILL = 1
MODELS = ["qwen2", "qwen3", "llama"]
PROMPTS = [[7], [1, 5, 9, 30], [1, 58, 14, 41, 3, 22, 60, 8, 17, 17, 25, 44, 51, 6, 12, 33, 29]]
# Stored beside the models, and not to be seen in what either library finds: both search as they are told.
UNUSED = dict(do_sample=True, temperature=0.3, top_k=3, repetition_penalty=1.7, max_new_tokens=1)


def catalogue(count, mixed):
    """Different SIDs of three tokens, with `mixed` half of them of four: other third tokens, and a fourth."""
    draw = random.Random(3)
    sids = set()
    while len(sids) < count:
        sid = (draw.randint(10, 15), draw.randint(16, 22), draw.randint(23, 30))
        sids.add((*sid[:2], draw.randint(31, 36), draw.randint(37, 42)) if mixed and len(sids) % 2 else sid)
    return [list(sid) for sid in sorted(sids)]


class Normalised(LogitsProcessor):
    """Normalises over the vocabulary, then leaves what `allowed` names."""

    def __init__(self, allowed):
        self.allowed = allowed

    def __call__(self, input_ids, scores):
        kept = torch.full_like(scores, -torch.inf)
        for row, (tokens, logs) in enumerate(zip(input_ids, torch.log_softmax(scores, -1))):
            tokens = self.allowed(0, tokens)
            kept[row, tokens] = logs[tokens]
        return kept


def search(model, sids, beams, ends, penalty=1.0):
    children = {}
    for sid in sids:
        for depth, token in enumerate(sid):
            children.setdefault(tuple(sid[:depth]), set()).add(token)

    def best(prompt):
        def allowed(_batch, tokens):
            # Beams that do not exist, of score -inf, are asked for too.
            return sorted(children.get(tuple(tokens[len(prompt) :].tolist()), [sids[0][0]]))

        model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=FILL)
        found = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones((1, len(prompt)), dtype=torch.long),
            num_beams=beams,
            num_return_sequences=beams,
            **(
                dict(prefix_allowed_tokens_fn=allowed)
                if penalty == 1
                else dict(repetition_penalty=penalty, logits_processor=LogitsProcessorList([Normalised(allowed)]))
            ),
            do_sample=False,
            length_penalty=0.0,
            early_stopping=False,
            max_new_tokens=max(map(len, sids)),
            output_scores=True,
            return_dict_in_generate=True,
        )
        results = []
        for tokens, score in zip(found.sequences[:, len(prompt) :].tolist(), found.sequences_scores.tolist()):
            sid = next(sid for sid in sids if tokens[: len(sid)] == sid)
            assert set(tokens[len(sid) :]) <= {FILL}
            results.append([*sid, float(f"{score:.8g}")])
        assert len({tuple(result[:-1]) for result in results}) == beams
        return results

    return [best(prompt) for prompt in PROMPTS]


@torch.no_grad()
def make(name):
    GenerationConfig(**UNUSED).save_pretrained(HERE / name)
    model = AutoModelForCausalLM.from_pretrained(HERE / name, attn_implementation="eager").eval()
    fixed, mixed = catalogue(40, mixed=False), catalogue(40, mixed=True)
    leaves = sorted({sid[-1] for sid in mixed})
    searches = [
        ("three tokens", fixed, 10, [EOS]),
        ("three tokens", fixed, 3, [EOS]),
        ("leaves", mixed, 40, leaves),
        ("leaves", mixed, 10, leaves),
        ("eos", [[*sid, EOS] for sid in mixed], 40, [EOS]),
        ("eos", [[*sid, EOS] for sid in mixed], 3, [EOS]),
    ]
    return [
        {"catalogue": what, "beams": beams, "results": search(model, sids, beams, ends)}
        for what, sids, beams, ends in searches
    ] + [
        {
            "catalogue": "three tokens",
            "beams": beams,
            "repetitionPenalty": penalty,
            "results": search(model, fixed, beams, [EOS], penalty),
        }
        for beams, penalty in [(40, 1.1), (10, 1.1), (10, 4.0)]
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    golden = {
        "prompts": PROMPTS,
        "catalogues": {
            "three tokens": catalogue(40, mixed=False),
            "leaves": catalogue(40, mixed=True),
            "eos": [[*sid, EOS] for sid in catalogue(40, mixed=True)],
        },
        "models": {name: make(name) for name in MODELS},
    }
    (HERE / "generate.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
