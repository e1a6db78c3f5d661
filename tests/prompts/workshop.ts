import type { Dataset } from "../../data/dataset.ts";
import { syntheticDataset } from "../../data/synthetic/shop.ts";
import { Tokenizer } from "../../models/tokenizer/tokenizer.ts";
import { specialTokens } from "../../models/tokenizer/config.ts";
import { ItemTexts } from "../../prompts/rows/item_texts.ts";
import { taskTokens } from "../../prompts/tasks/by_name.ts";
import type { TaskInput } from "../../prompts/tasks/task.ts";
import { genrecTemplates } from "../../prompts/built_in.ts";
import { Prompts, type PromptsOptions } from "../../prompts/prompts.ts";

/** End of text of {@link tinyTokenizer}. */
export const END = "<|endoftext|>";

/** A byte-level tokenizer of 300 tokens, with further ones. */
export async function tinyTokenizer(...tokens: string[]): Promise<Tokenizer> {
  const path = new URL("../golden/embedding/qwen2_embedding/tokenizer.json", import.meta.url);
  return new Tokenizer(await Deno.readFile(path)).withTokens(tokens);
}

/** A dataset with data for every task, and what its tasks read. */
export async function workshop(dataset: Dataset = smallShop(), tokens = { title: 24, description: 40 }) {
  const sids = dataset.sids!;
  const tokenizer = await tinyTokenizer(...sids.flat(), ...taskTokens(["heterogeneous"], { dataset }));
  const { train } = dataset.samples;
  const input: TaskInput = {
    dataset,
    texts: new ItemTexts(dataset, sids, tokenizer, tokens),
    maxHistory: 4,
    preferences: train.slice(0, 5).map(({ history, target }, i) => ({
      text: `likes kind ${i}`,
      history,
      target,
    })),
    rows: [{
      system: "",
      instruction: "Say it",
      input: `after ${sids[3].join("")}`,
      output: sids[5].join(""),
    }],
  };
  return { input, tokenizer, prompts: promptsOf(tokenizer) };
}

/** Prompts in our own words, or others. */
export function promptsOf(tokenizer: Tokenizer, options: Partial<PromptsOptions> = {}): Prompts {
  const special = specialTokens(tokenizer, { eos_token: END });
  return new Prompts({ templates: genrecTemplates, tokenizer, special, ...options });
}

/** Synthetic data with SIDs, of which items 0 and 1 share one, and the columns of GPR. */
export function smallShop(): Dataset {
  const dataset = syntheticDataset({ items: 60, users: 40 });
  const sids = dataset.items.map((_, item) => {
    const code = Math.max(item, 1);
    return [`<a_${code % 4}>`, `<b_${(code >> 2) % 5}>`, `<c_${Math.floor(code / 20)}>`];
  });
  dataset.items.forEach((item, i) => {
    item.itemType = i % 3 === 0 ? "I" : "O";
    item.finalValue = i / 59;
  });
  dataset.samples.train.forEach((sample, i) => {
    if (i % 2 === 0) sample.userToken = "[USER_HIGH_RATING]";
    if (i % 5 === 0) sample.contextToken = "[CTX_SEARCH]";
  });
  return { ...dataset, sids };
}
