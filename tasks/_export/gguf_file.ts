import { basename } from "node:path";
import type { PieceFile } from "../../base/files/pieces.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { blockSpecs, EMBEDDING, HEAD } from "../../models/decoder/blocks.ts";
import type { WrittenGgufFormat } from "../../models/gguf/blocks.ts";
import { withGguf } from "../../models/gguf/files.ts";
import { type BytePairTokenizer, ggufVocabulary } from "../../models/gguf/tokenizer.ts";
import { ggufFile } from "../../models/gguf/write.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import { chatTemplateOf, specialTokens } from "../../models/tokenizer/config.ts";
import { expectRows, readTokenizer } from "../../models/tokenizer/from_folder.ts";
import { textModelFolder } from "../../train/runs/text_folder.ts";

/** Number formats of an exported GGUF file, and their names there. */
export const GGUF_FORMATS = { float32: "F32", float16: "F16", q8_0: "Q8_0" } as const satisfies Record<
  string,
  WrittenGgufFormat
>;

/** A run or model that reads text as a GGUF file. Throws `UserError` for what llama.cpp cannot read. */
export async function exportedGguf(
  { run, checkpoint }: { run: string; checkpoint: string },
  dtype: keyof typeof GGUF_FORMATS,
  signal: AbortSignal,
): Promise<PieceFile> {
  const folder = await textModelFolder(run, checkpoint, "export");
  const files = withGguf(diskFiles);
  const pretrained = await Pretrained.open(folder, files);
  const { config } = pretrained;
  const { tokenizer, tokenizerConfig } = await readTokenizer(folder, files);
  const json: BytePairTokenizer = JSON.parse(new TextDecoder().decode(tokenizer.json));
  expectRows(`export ${run}`, tokenizer, config.vocab_size);
  const { bos, eos, pad } = specialTokens(tokenizer, tokenizerConfig, config);
  const table = [config.vocab_size, config.hidden_size];
  const tables = config.tie_word_embeddings ? [EMBEDDING] : [EMBEDDING, HEAD];
  const shapes = [...tables.map((name) => ({ name, shape: table })), ...blockSpecs(config).flatMap(partsOf)];
  const tensors = async function* () {
    for (const { name } of shapes) {
      signal.throwIfAborted();
      yield { name, data: (await pretrained.read(name)).data };
    }
  };
  return ggufFile(config, shapes, tensors(), {
    format: GGUF_FORMATS[dtype],
    name: basename(run),
    vocabulary: { ...ggufVocabulary(json, config.vocab_size, run), bos },
    ids: { bos: bos ?? tokenizer.idOf(tokenizerConfig.bos_token ?? ""), eos, pad },
    chatTemplate: chatTemplateOf(tokenizerConfig),
  });
}
