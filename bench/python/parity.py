"""The answers of transformers and PyTorch to the cases of bench/parity/: python parity.py FOLDER [--saved]

FOLDER holds what cases.ts writes: start/, a model directory; adapter/, where adapters start; cases.json. Written are
golden.json (greedy texts, beams, losses of the trainings) and golden.safetensors (logits, vectors of texts).
With --saved, the models that our trainings saved in FOLDER/saved/ are asked instead: each as transformers loads it, and
adapters as PEFT does. That goes to saved.json and saved.safetensors.
"""

import json
import math
import pathlib
import sys

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file


def load(folder):
    return opened(
        transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        )
    )


def opened(model):
    # generate() takes from here what its own settings leave open: texts go on after an end, as ours do.
    model.generation_config.eos_token_id = None
    return model.eval()


@torch.inference_mode()
def last_logits(model, prompts):
    return torch.stack([model(torch.tensor([prompt])).logits[0, -1] for prompt in prompts])


@torch.inference_mode()
def vectors(model, tokenizer, texts, most):
    """Means of the hidden states after the last norm, (texts, C)."""
    found = []
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=most, return_tensors="pt").input_ids
        found.append(model.model(input_ids=ids).last_hidden_state[0].mean(0))
    return torch.stack(found)


@torch.inference_mode()
def greedy(model, prompt, count):
    settings = transformers.GenerationConfig(
        do_sample=False, max_new_tokens=count, pad_token_id=0, eos_token_id=None
    )
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    return out[0, len(prompt) :].tolist()


@torch.inference_mode()
def beams(model, prompt, sids, count):
    depth = len(sids[0])
    if any(len(sid) != depth for sid in sids):
        raise SystemExit("parity.py needs SIDs of one length")
    children = {}
    for sid in sids:
        for level, token in enumerate(sid):
            children.setdefault(tuple(sid[:level]), set()).add(token)
    children = {prefix: sorted(tokens) for prefix, tokens in children.items()}
    leaf = [0]  # a beam that does not exist yet must be allowed something
    settings = transformers.GenerationConfig(
        do_sample=False,
        num_beams=count,
        num_return_sequences=count,
        length_penalty=0.0,
        max_new_tokens=depth,
        pad_token_id=0,
        eos_token_id=None,
        return_dict_in_generate=True,
        output_scores=True,
    )
    ids = torch.tensor([prompt])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        generation_config=settings,
        prefix_allowed_tokens_fn=lambda _, ids: children.get(tuple(ids[len(prompt) :].tolist()), leaf),
    )
    return {"tokens": out.sequences[:, len(prompt) :].tolist(), "scores": out.sequences_scores.tolist()}


def answers(model, cases, prompts, asked):
    sizes = cases["sizes"]
    found = {
        "greedy": [greedy(model, prompt, sizes["newTokens"]) for prompt in cases["prompts"][:asked]],
        "beams": [beams(model, prompt, cases["sids"], sizes["beams"]) for prompt in cases["prompts"][:asked]],
    }
    return found, last_logits(model, cases["prompts"][:prompts])


def learning_rate(step, total, settings):
    peak, warmup = settings["learningRate"], settings["warmupSteps"]
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    least = settings["minLearningRateRatio"]
    return peak * (least + (1 - least) * (1 + math.cos(math.pi * done)) / 2)


def batch_loss(model, sequences):
    """Sequences end to end, each of which sees itself alone; the loss of the targets, weighted."""
    tokens = [token for sequence in sequences for token in sequence["tokens"]]
    positions = [at for sequence in sequences for at in range(len(sequence["tokens"]))]
    number = torch.tensor([i for i, sequence in enumerate(sequences) for _ in sequence["tokens"]])
    row = torch.arange(len(tokens))
    seen = (number[:, None] == number[None]) & (row[:, None] >= row[None])
    mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None]
    hidden = model.model(
        input_ids=torch.tensor([tokens]), position_ids=torch.tensor([positions]), attention_mask=mask
    ).last_hidden_state[0]
    start, rows, targets, weights = 0, [], [], []
    for sequence in sequences:
        for target in sequence["targets"]:
            rows.append(start + target["at"])
            targets.append(target["token"])
            weights.append(target["weight"])
        start += len(sequence["tokens"])
    losses = torch.nn.functional.cross_entropy(
        model.lm_head(hidden[rows]), torch.tensor(targets), reduction="none"
    )
    weights = torch.tensor(weights)
    return (losses * weights).sum() / weights.sum()


def steps(folder, cases, mode):
    """Trains, and yields the loss of each step."""
    model = load(folder / "start")
    inner = model
    table = model.get_input_embeddings().weight
    if mode != "full":
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        frozen = cases["frozenRows"]
        table.requires_grad_(True)
        table.register_hook(lambda gradient: torch.cat([torch.zeros_like(gradient[:frozen]), gradient[frozen:]]))
        kept = table[:frozen].detach().clone()
    if mode == "lora":
        config = peft.LoraConfig.from_pretrained(folder / "adapter")
        config.inference_mode = False
        wrapped = peft.get_peft_model(model, config)
        state = peft.set_peft_model_state_dict(wrapped, load_file(folder / "adapter/adapter_model.safetensors"))
        if state.unexpected_keys:
            raise SystemExit(f"adapter/ has keys of no module: {state.unexpected_keys[:3]}")
        table.requires_grad_(True)
        inner = wrapped.base_model.model
    settings = cases["training"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings["weightDecay"]},
        {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        betas=(settings["adamBeta1"], settings["adamBeta2"]),
        eps=settings["adamEpsilon"],
    )
    for step, members in enumerate(cases["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, len(cases["steps"]), settings)
        optimizer.zero_grad()
        loss = batch_loss(inner, [cases["sequences"][i] for i in members])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, settings["maxGradNorm"])
        optimizer.step()
        if mode != "full":
            with torch.no_grad():
                table[:frozen] = kept  # weight decay would move rows that have no gradient
        yield loss.item()


def train(folder, cases, mode):
    losses = []
    for loss in steps(folder, cases, mode):
        losses.append(loss)
        print(mode, len(losses), loss, file=sys.stderr, flush=True)
    return {"losses": losses}


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = json.loads((folder / "cases.json").read_text())
    sizes = cases["sizes"]
    if "--saved" in sys.argv:
        found, logits = {}, {}
        for path in sorted((folder / "saved").iterdir()):
            kinds = [("model", lambda: load(path))]
            if (path / "adapter").exists():
                kinds.append(("adapter", lambda: adapted(path / "adapter")))
            for kind, make in kinds:
                name = f"{path.name}-{kind}"
                found[name], logits[name] = answers(make(), cases, 4, min(2, sizes["answers"]))
        (folder / "saved.json").write_text(json.dumps(found))
        save_file(logits, folder / "saved.safetensors")
        return
    modes = list(filter(None, sys.argv[2].split(","))) if len(sys.argv) > 2 else ["full", "lora", "frozen"]
    golden = folder / "golden.json"
    if golden.exists():  # of these cases: what is there stays
        found = json.loads(golden.read_text())
    else:
        start = load(folder / "start")
        found, logits = answers(start, cases, sizes["prompts"], sizes["answers"])
        found["training"] = {}
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "start")
        embedded = vectors(start, tokenizer, cases["texts"], cases["textTokens"])
        del start
        save_file({"logits": logits, "vectors": embedded}, folder / "golden.safetensors")
        golden.write_text(json.dumps(found))
    for mode in modes:
        if mode not in found["training"]:
            found["training"][mode] = train(folder, cases, mode)
            golden.write_text(json.dumps(found))


def adapted(folder):
    return opened(peft.AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.float32))


if __name__ == "__main__":
    main()
