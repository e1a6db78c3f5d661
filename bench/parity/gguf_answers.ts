/** A text that llama.cpp wrote under the grammar. */
interface Written {
  tokens: number[];
  text: string;
}

/** What bench/python/gguf_answers.py writes of a file. */
export interface GgufAnswers {
  /** Of llama-cpp-python. */
  version: string;
  /** Tokens of the prompts' texts. */
  prompts: number[][];
  /** The most probable token of those that the grammar of ids allows, again and again. */
  greedy: Written[];
  /** The same by the grammar of texts. */
  spelled: Written[];
  beams: { tokens: number[][]; scores: number[] }[];
  /** Answers that were drawn. */
  drawn: Written[];
}

/**
 * How many answers there are, how many are no SID of the catalogue, and how many of the others are written in other tokens
 * than those of the SID. `texts` and `tokens` are the SIDs.
 */
export function legalAnswers(
  answers: readonly Written[],
  texts: readonly (readonly string[])[],
  tokens: readonly (readonly number[])[],
): { all: number; illegal: number; spelled: number } {
  const known = new Map(texts.map((sid, i) => [sid.join(""), tokens[i].join()]));
  let illegal = 0, spelled = 0;
  for (const { text, tokens } of answers) {
    const expected = known.get(text);
    if (expected === undefined) illegal++;
    else if (tokens.join() !== expected) spelled++;
  }
  return { all: answers.length, illegal, spelled };
}
