import { UserError } from "../../base/user_error.ts";
import type { RlExamples } from "../../data/packing/rl_examples.ts";
import type { AnswerTries } from "./answer_tries.ts";
import type { RlConfig } from "./config.ts";
import type { PolicyPacking } from "./policy/batch.ts";

/** What is asked, and how it is laid out. */
export interface AskedPrompts {
  examples: RlExamples;
  config: Pick<RlConfig, "tokensPerBatch">;
  packing: Pick<PolicyPacking<unknown>, "sizeOf">;
}

/** Throws {@link UserError} unless every prompt fits a micro batch with its answers. */
export function checkPrompts(
  { examples, packing, config: { tokensPerBatch } }: AskedPrompts,
  tries: AnswerTries,
  answers: number,
): void {
  const longest = new Map(tries.kinds.map((kind) => [kind, 0]));
  for (let i = 0; i < examples.count; i++) {
    const example = examples.make(i), kind = tries.of(example);
    longest.set(kind, Math.max(longest.get(kind)!, example.prompt.length));
  }
  for (const [{ trie }, prompt] of longest) {
    const answer = new Uint32Array(trie.host.maxDepth);
    const completions = Array<Uint32Array>(answers).fill(answer);
    const { tokens } = packing.sizeOf({ prompt: new Uint32Array(prompt), completions, nodes: completions });
    if (prompt === 0 || tokens <= tokensPerBatch) continue;
    throw new UserError(
      `Cannot train: prompts have up to ${prompt} tokens, with their answers ${tokens}, expected at most ` +
        `${tokensPerBatch}. Raise --tokens-per-batch, or lower --num-generations`,
    );
  }
}
