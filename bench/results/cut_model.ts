import { join } from "node:path";
import { diskFiles } from "../../base/files/disk.ts";
import { writeSynced } from "../../base/files/write_atomic.ts";
import { blockSpecs, EMBEDDING, HEAD } from "../../models/decoder/blocks.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { pretrainedFiles } from "../../models/hugging_face/save_pretrained.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import { withGguf } from "../../models/gguf/files.ts";

/** Writes the first `layers` blocks of a model, with its embedding, last norm and tokenizer, as a directory of its own. */
export async function cutModel(model: string, layers: number, folder: string): Promise<void> {
  const pretrained = await Pretrained.open(model, withGguf(diskFiles));
  const config = { ...pretrained.config, num_hidden_layers: layers };
  if (layers < 1 || layers > pretrained.config.num_hidden_layers) {
    throw new RangeError(
      `Cannot take ${layers} blocks of ${model}: it has ${pretrained.config.num_hidden_layers}`,
    );
  }
  const table = [config.vocab_size, config.hidden_size];
  const tables = config.tie_word_embeddings ? [EMBEDDING] : [EMBEDDING, HEAD];
  const shapes = [...tables.map((name) => ({ name, shape: table })), ...blockSpecs(config).flatMap(partsOf)];
  const tensors = async function* () {
    for (const { name, shape } of shapes) yield { name, shape, data: (await pretrained.read(name)).data };
  };
  await Deno.mkdir(folder, { recursive: true });
  const companions = pretrained.companions();
  for await (const { name, bytes } of pretrainedFiles(config, shapes, tensors(), { companions })) {
    await writeSynced(join(folder, name), bytes);
  }
}
