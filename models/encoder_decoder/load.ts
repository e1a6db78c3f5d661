import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { type ModelFiles, SINGLE } from "../hugging_face/weight_files.ts";
import { readSafetensors } from "../safetensors/safetensors.ts";
import { parseEncoderDecoderConfig } from "./config.ts";
import { EncoderDecoder, type EncoderDecoderOptions } from "./encoder_decoder.ts";

/** Loads an encoder-decoder that a training saved. Throws {@link UserError} for files that are missing or damaged. */
export async function loadEncoderDecoder(
  device: Device,
  folder: string,
  files: Pick<ModelFiles, "readFile">,
  options?: EncoderDecoderOptions,
): Promise<EncoderDecoder> {
  const path = `${folder}/config.json`;
  const text = new TextDecoder().decode(await files.readFile(path));
  const config = parseEncoderDecoderConfig(parseJson(text, path, z.unknown()), path);
  const weights = `${folder}/${SINGLE}`;
  const tensors = readSafetensors(await files.readFile(weights), weights);
  const read = (name: string) => {
    const tensor = tensors.get(name);
    if (tensor) return Promise.resolve(tensor);
    return Promise.reject(new UserError(`Cannot use ${weights}: it has no tensor ${name}, expected one`));
  };
  return await EncoderDecoder.load(device, { folder, read }, config, options);
}
