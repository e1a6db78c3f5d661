import { UserError } from "../../base/user_error.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import type { HostTensor } from "../../models/parameters/parts.ts";
import { normalizerTensors } from "../../sid/normalize.ts";
import type { StoredItemTokenizer } from "./item_tokenizer.ts";

/**
 * The tokenizer of a checkpoint of ETEGRec's, MiniOneRec's or LETTER's RQ-VAE, from its tensors by name: `encoder.` and
 * `decoder.`, their linear layers in order, and `vq_layers.N.embedding.weight`. Vectors go in as they are.
 * @throws {UserError} for other tensors, and batch normalisation; `source` names the file.
 */
export function publishedTokenizer(
  tensors: ReadonlyMap<string, HostTensor>,
  source: string,
): StoredItemTokenizer {
  const found: TensorMap = new Map();
  for (const part of ["encoder", "decoder"]) {
    const layers = [...tensors].flatMap(([name, tensor]) => {
      const place = new RegExp(`^${part}\\.(?:.*\\.)?(\\d+)\\.weight$`).exec(name)?.[1];
      return place === undefined ? [] : [{ name, tensor, place: Number(place) }];
    }).sort((a, b) => a.place - b.place);
    if (layers.length === 0) fail(source, `it has no linear layers of ${part}`);
    layers.forEach(({ name, tensor }, i) => {
      const bias = tensors.get(name.replace(/weight$/, "bias"));
      if (tensor.shape.length !== 2) fail(source, `${name} is no matrix, as of batch normalisation`);
      if (bias?.shape.join() !== String(tensor.shape[0])) fail(source, `${name} has no bias of its width`);
      found.set(`${part}.${i}.weight`, tensor);
      found.set(`${part}.${i}.bias`, { ...bias!, shape: [1, tensor.shape[0]] });
    });
  }
  const codebooks = [...tensors].filter(([name]) => /vq_layers\.\d+\.embedding\.weight$/.test(name))
    .sort(([a], [b]) => Number(/vq_layers\.(\d+)/.exec(a)![1]) - Number(/vq_layers\.(\d+)/.exec(b)![1]));
  if (codebooks.length === 0) fail(source, "it has no codebooks");
  codebooks.forEach(([, tensor], level) => found.set(`codebook.${level}`, tensor));
  const width = found.get("encoder.0.weight")!.shape[1];
  const asTheyAre = { unit: false, mean: new Float32Array(width), scale: new Float32Array(width).fill(1) };
  return {
    codebookSizes: codebooks.map(([, { shape }]) => shape[0]),
    normalize: "none",
    tensors: new Map([...found, ...normalizerTensors(asTheyAre)]),
  };
}

function fail(source: string, found: string): never {
  throw new UserError(
    `Cannot use the tokenizer ${source}: ${found}, expected a checkpoint of an RQ-VAE of ETEGRec, MiniOneRec or LETTER. ` +
      "Name another file, or train a tokenizer without --tokenizer",
  );
}
