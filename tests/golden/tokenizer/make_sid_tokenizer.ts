/**
 * Extends a tokenizer with SID tokens, for make_sid_tokenizer.py:
 * deno run -A make_sid_tokenizer.ts TOKENIZER.JSON [TOKENIZER_CONFIG.JSON] OUTPUT_FOLDER
 */
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { formatTokenizerConfig, parseTokenizerConfig } from "../../../models/tokenizer/config.ts";

const folder = Deno.args.at(-1);
const tokens = ["<b_3>", "<a_12>", "<a_1>", "<a_120>", "<c_255>", "<c_0>"];
const tokenizer = new Tokenizer(await Deno.readFile(Deno.args[0])).withTokens(tokens);
await Deno.writeFile(`${folder}/tokenizer.json`, tokenizer.json);
if (Deno.args.length === 3) {
  const config = parseTokenizerConfig(await Deno.readTextFile(Deno.args[1]));
  await Deno.writeTextFile(`${folder}/tokenizer_config.json`, formatTokenizerConfig(tokenizer, config));
}
