import type { NextItemPrompts } from "./next_item.ts";
import type { SidVocabulary } from "../sid/tokens.ts";

/**
 * Prompts of models that know SID tokens alone: BOS and the SIDs of the last `maxHistory` items, oldest first. `sids`
 * are token strings, one list an item.
 */
export function sidPrompts(
  vocabulary: SidVocabulary,
  sids: readonly (readonly string[])[],
  maxHistory: number,
): NextItemPrompts {
  const itemTokens = vocabulary.encodeAll(sids);
  return {
    vocabulary: vocabulary.size,
    itemTokens,
    prompt(history) {
      const items = history.slice(-maxHistory).map((item) => itemTokens[item]);
      const prompt = new Uint32Array(1 + items.reduce((sum, tokens) => sum + tokens.length, 0));
      prompt[0] = vocabulary.bosId;
      let at = 1;
      for (const tokens of items) {
        prompt.set(tokens, at);
        at += tokens.length;
      }
      return prompt;
    },
  };
}
