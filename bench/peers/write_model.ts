import type { DecoderConfig } from "../../models/decoder/config.ts";
import type { EncoderDecoderConfig } from "../../models/encoder_decoder/config.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import type { Parameters } from "../../models/parameters/parameters.ts";
import { savePretrained } from "../../models/hugging_face/save_pretrained.ts";

/** Writes weights to `folder` as transformers reads them. */
export async function writeModel(
  folder: string,
  config: DecoderConfig | EncoderDecoderConfig,
  parameters: Parameters,
): Promise<void> {
  const shapes = parameters.specs.flatMap(partsOf);
  for await (const { name, bytes } of savePretrained(config, shapes, parameters.readTensors())) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
}
