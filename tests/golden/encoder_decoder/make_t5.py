"""Writes t5.json: tiny random T5s of transformers with their logits, loss and gradients, and relative-position buckets.

Run in this folder: python make_t5.py
The third model has code tables as ETEGRec: the stacks of T5 with an embedding for each place of a SID, which is also the
output matrix of that place. Weights are those of `fill`, which the test repeats, norms and bias tables included.
"""

import json
import pathlib

import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

HERE = pathlib.Path(__file__).parent
INPUTS = [9, 1, 22]
TARGETS = [4, 2, 3]
SHAPE = dict(
    d_model=8,
    d_kv=4,
    d_ff=12,
    num_heads=2,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=16,
    pad_token_id=0,
    eos_token_id=1,
    decoder_start_token_id=0,
)
MODELS = {
    "t5": dict(**SHAPE, vocab_size=23, num_layers=2, feed_forward_proj="relu"),
    "t5_v1_1": dict(
        **SHAPE,
        vocab_size=19,
        num_layers=1,
        num_decoder_layers=2,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    ),
    "codes": dict(**SHAPE, vocab_size=1, num_layers=1, feed_forward_proj="relu"),
}
CODE_SIZES = [5, 7, 4]


def rounded(value, digits=7):
    if isinstance(value, list):
        return [rounded(each, digits) for each in value]
    return float(f"{value:.{digits}g}")


def listed(tensors):
    return {
        name: {"shape": list(tensor.shape), "data": rounded(tensor.flatten().tolist(), 6)}
        for name, tensor in tensors.items()
    }


def fill(parameters):
    """Values from -0.5 to 0.5, in the order of the names, by a generator that is exact in any language."""
    state = 1
    for name in sorted(parameters):
        values = []
        for _ in range(parameters[name].numel()):
            state = (state * 1664525 + 1013904223) % 2**32
            values.append(state / 2**32 - 0.5 + (1 if "norm" in name else 0))
        parameters[name].data = torch.tensor(values, dtype=torch.float64).float().reshape(parameters[name].shape)


def t5(settings):
    config = T5Config(**settings)
    config._attn_implementation = "eager"
    model = T5ForConditionalGeneration(config).float().eval()
    if settings.get("tie_word_embeddings") is False:
        model.lm_head.weight = torch.nn.Parameter(torch.zeros(config.vocab_size, config.d_model))
    parameters = {
        name: value
        for name, value in model.named_parameters()
        if "embed_tokens" not in name
        # The cross-attention of early checkpoints had a table, which nothing reads.
        and "EncDecAttention.relative" not in name
    }
    return model, parameters


def make(name, settings, seed):
    generator = torch.Generator().manual_seed(seed)
    model, parameters = t5(settings)
    tables = []
    if name == "codes":
        parameters = {key: value for key, value in parameters.items() if key != "lm_head.weight"}
        tables = [torch.nn.Parameter(torch.zeros(size, SHAPE["d_model"])) for size in CODE_SIZES]
        parameters |= {f"token_embeddings.{level}.weight": table for level, table in enumerate(tables)}
    fill(parameters)

    def random(low, high, count):
        return torch.randint(low, high, (count,), generator=generator)

    sequences, total, count = [], torch.zeros(()), 0
    for inputs, targets in zip(INPUTS, TARGETS):
        if tables:
            # Token ids of genrec: 0 is the start, then the codes of the first level, of the second, and so on.
            starts = [1, 6, 13]
            levels = [at % 3 for at in range(3 * (inputs // 3 + 1))]
            codes = [int(random(0, CODE_SIZES[level], 1)) for level in levels]
            wanted = [int(random(0, size, 1)) for size in CODE_SIZES]
            encoded = torch.stack([tables[level][code] for level, code in zip(levels, codes)])[None]
            decoded = torch.stack(
                [model.shared.weight[0]] + [tables[level][wanted[level]] for level in range(2)]
            )[None]
            # These get no embedding of their own to scale by: the stacks alone.
            memory = model.encoder(inputs_embeds=encoded).last_hidden_state
            states = model.decoder(inputs_embeds=decoded, encoder_hidden_states=memory).last_hidden_state[0]
            logits = [states[level] @ table.T for level, table in enumerate(tables)]
            total = total + sum(
                torch.nn.functional.cross_entropy(each, torch.tensor(code)) for each, code in zip(logits, wanted)
            )
            count += 3
            input_ids = [starts[level] + code for level, code in zip(levels, codes)]
            labels = [start + code for start, code in zip(starts, wanted)]
            logits = [each.tolist() for each in logits]
        else:
            input_ids = random(2, settings["vocab_size"], inputs)
            labels = random(2, settings["vocab_size"], targets)
            out = model(input_ids=input_ids[None], labels=labels[None])
            total = total + torch.nn.functional.cross_entropy(out.logits[0], labels, reduction="sum")
            count += targets
            input_ids, labels, logits = input_ids.tolist(), labels.tolist(), out.logits[0].tolist()
        sequences.append({"input": input_ids, "labels": labels, "logits": rounded(logits)})
    loss = total / count
    loss.backward()
    config = {
        "model_type": "t5",
        **{key: value for key, value in model.config.to_dict().items() if key in {*SHAPE, *settings}},
        "tie_word_embeddings": settings.get("tie_word_embeddings", True),
    }
    if tables:
        config["code_sizes"] = CODE_SIZES
    return {
        "config": config,
        "sequences": sequences,
        "count": count,
        "loss": rounded(loss.item()),
        "gradients": listed({key: value.grad for key, value in parameters.items()}),
    }


def buckets():
    distances = torch.arange(-200, 201)
    return {
        f"{name} {count} {most}": T5Attention._relative_position_bucket(distances, both, count, most).tolist()
        for name, both in [("encoder", True), ("decoder", False)]
        for count, most in [(32, 128), (8, 16), (24, 100)]
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    golden = {name: make(name, settings, seed) for seed, (name, settings) in enumerate(MODELS.items(), start=3)}
    golden["buckets"] = buckets()
    (HERE / "t5.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
