"""What vLLM answers with the grammar of semantic IDs, for bench/parity/vllm.ts: python vllm_answers.py FOLDER MODEL

FOLDER holds cases.json and texts.gbnf, as bench/parity/gguf.ts writes them; MODEL is a checkpoint folder. Written is
vllm.json: the answer to each prompt that the grammar lets through, the most probable token at a time, and answers that were
drawn. On a CPU vLLM takes half of the memory for keys and values unless VLLM_CPU_KVCACHE_SPACE says how many GiB.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")

import vllm
from vllm.sampling_params import StructuredOutputsParams


LONGEST = 8  # tokens of a code that is spelled in letters


def main():
    folder, model = pathlib.Path(sys.argv[1]), sys.argv[2]
    cases = json.loads((folder / "cases.json").read_text())
    prompts = [{"prompt_token_ids": prompt["tokens"]} for prompt in cases["prompts"]]
    longest = max(len(prompt["tokens"]) for prompt in cases["prompts"])
    depth = max(len(sid) for sid in cases["sids"])
    engine = vllm.LLM(
        model=model, dtype="float32", enforce_eager=True, max_model_len=longest + LONGEST * depth, max_num_seqs=8
    )
    rules = StructuredOutputsParams(grammar=(folder / "texts.gbnf").read_text())

    tokenizer = engine.get_tokenizer()

    def written(output):
        tokens = [token for token in output.token_ids if token != tokenizer.eos_token_id]
        return {"tokens": tokens, "text": tokenizer.decode(tokens, spaces_between_special_tokens=False)}

    def answers(seed=0, **sampling):
        settings = [
            vllm.SamplingParams(max_tokens=LONGEST * depth, structured_outputs=rules, seed=seed + i, **sampling)
            for i in range(len(prompts))
        ]
        return [written(output) for request in engine.generate(prompts, settings) for output in request.outputs]

    draws = -(-cases["draws"] // len(prompts))
    found = {
        "version": vllm.__version__,
        "greedy": answers(temperature=0),
        "drawn": answers(temperature=cases["temperature"], seed=cases["seed"], n=draws),
    }
    (folder / "vllm.json").write_text(json.dumps(found))


if __name__ == "__main__":  # the engine's own process imports this file again
    main()
