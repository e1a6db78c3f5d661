"""Probabilities that transformers' generate() draws from, after its processors and warpers: sampling.json."""

import json
import pathlib

import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

torch.manual_seed(11)
logits = torch.randn(1, 40) * 3
logits[0, 7] = logits[0, 9]  # a tie
seen = torch.tensor([[3, 9, 3, 21]])
cases = []
for penalty in [1.0, 1.3, 0.7]:
    for temperature in [1.0, 0.6, 1.7]:
        for top_k in [0, 1, 5, 100]:
            for top_p in [1.0, 0.9, 0.35, 0.01]:
                # Of each other setting some cases, and all of it without a penalty.
                for min_p in [0.0, 0.02, 0.3, 1.0] if penalty == 1 and temperature != 0.6 else [0.0]:
                    steps = [RepetitionPenaltyLogitsProcessor(penalty)] if penalty != 1 else []
                    steps += [TemperatureLogitsWarper(temperature)]
                    steps += [TopKLogitsWarper(top_k)] if top_k else []
                    steps += [TopPLogitsWarper(top_p)] if top_p < 1 else []
                    steps += [MinPLogitsWarper(min_p)] if min_p else []
                    scores = logits.clone()
                    for step in steps:
                        scores = step(seen, scores)
                    cases.append(
                        {
                            "repetitionPenalty": penalty,
                            "temperature": temperature,
                            "topK": top_k,
                            "topP": top_p,
                            "minP": min_p,
                            "shares": {str(i): v for i, v in enumerate(scores.softmax(-1)[0].tolist()) if v > 0},
                        }
                    )
work = {"logits": logits[0].tolist(), "seen": seen[0].tolist(), "cases": cases}
pathlib.Path(__file__).with_name("sampling.json").write_text(json.dumps(work) + "\n")
