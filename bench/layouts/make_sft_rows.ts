/**
 * Writes sft_rows.json: [tokens, targets] of rows drawn from an epoch of the alignment tasks on MiniOneRec's Industrial
 * split, with Qwen2.5's tokenizer: `deno run -A bench/layouts/make_sft_rows.ts DATASET TOKENIZER`.
 */
import { loadDataset } from "../../data/formats/load.ts";
import { Tokenizer } from "../../models/tokenizer/tokenizer.ts";
import { ItemTexts } from "../../prompts/rows/item_texts.ts";
import { alignmentSource } from "../../prompts/rows/source.ts";
import { genrecTemplates } from "../../prompts/built_in.ts";
import { Prompts } from "../../prompts/prompts.ts";

const ROWS = 256;
const TASKS = [
  "next-item",
  "sid-to-title",
  "title-to-sid",
  "history-to-title",
  "titles-to-sid",
  "titles-to-title",
];

const [data, folder] = Deno.args;
const dataset = await loadDataset(data);
const sids = dataset.sids!;
const plain = new Tokenizer(await Deno.readFile(`${folder}/tokenizer.json`));
const tokenizer = plain.withTokens(sids.flat());
const special = { eos: plain.idOf("<|im_end|>")!, pad: plain.idOf("<|endoftext|>")! };
const prompts = new Prompts({ templates: genrecTemplates, tokenizer, special });
const source = alignmentSource({
  dataset,
  texts: new ItemTexts(dataset, sids, tokenizer, { title: 64, description: 64 }),
  maxHistory: 10,
  prompts,
  tasks: Object.fromEntries(TASKS.map((name) => [name, 1])),
  maxLength: 512,
});
const rows = [...source.order(0, 42).subarray(0, ROWS)].map((i) => {
  const { tokens, targets } = source.make(i);
  return [tokens.length, targets.length];
});
console.table(source.report.map(({ leftOut: _, ...row }) => row));
await Deno.writeTextFile(new URL("./sft_rows.json", import.meta.url), JSON.stringify(rows) + "\n");
