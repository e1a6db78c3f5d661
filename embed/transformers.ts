import { z } from "zod";
import { UserError } from "../base/user_error.ts";
import { Tokenizer } from "../models/tokenizer/tokenizer.ts";
import type { EmbeddingContext, TextEmbedder, TextProvider } from "./provider.ts";
import { pool, readModelJson, sentenceFields, sentenceSettings } from "./text/sentence_model.ts";
import { textEncoder } from "./text/encoder.ts";
import { scaleToUnitRows } from "./text/unit_rows.ts";

const Config = z.strictObject({
  ...sentenceFields,
  onnxFile: z.string().regex(/^[^/]+\.onnx$/, "expected a file name that ends in .onnx").default("model.onnx")
    .describe("file to run, in the model's directory or its folder onnx/"),
});
/** Settings of {@link transformersProvider}. */
export type TransformersConfig = z.output<typeof Config>;

/**
 * Any encoder that was exported to ONNX, such as all-MiniLM or bge, run by transformers.js. Reads the directory
 * alone: nothing is fetched but the package itself, 500 MB with its runtimes, when the provider is first used.
 */
export const transformersProvider: TextProvider<TransformersConfig> = {
  input: "text",
  name: "transformers.js",
  Config,
  async open(context, config) {
    const { model: folder } = config;
    if (folder === "") {
      throw new UserError(
        "Cannot use provider transformers.js without a model. Name the directory of one with --model DIR",
      );
    }
    const options = await onnxOptions(context, folder, config.onnxFile);
    const encoder = await readModelJson(context, `${folder}/config.json`, EncoderJson);
    const tokenizerPath = `${folder}/tokenizer.json`;
    const tokenizer = new Tokenizer(await context.readFile(tokenizerPath), tokenizerPath);
    const settings = await sentenceSettings(context, config, encoder.max_position_embeddings);
    const ends = [encoder.eos_token_id ?? []].flat();
    const ids = { folder, vocabulary: encoder.vocab_size, ends };
    const encode = textEncoder(tokenizer, ids, settings, config.prefix);

    const library = await loadLibrary();
    library.env.allowRemoteModels = false;
    library.env.allowLocalModels = true;
    library.env.localModelPath = folder.startsWith("/") ? "" : "."; // it joins the two with a slash
    let model: OnnxModel;
    try {
      model = await library.AutoModel.from_pretrained(folder, options);
    } catch (error) {
      throw new UserError(
        `Cannot load ${folder} with transformers.js: ${(error as Error).message}. Expected an encoder that ` +
          `transformers.js ${library.env.version} can run`,
      );
    }
    /** Ids of texts -> hidden states (N, T, D), T the longest of them. */
    const hiddenStates = async (texts: readonly Uint32Array[]): Promise<HiddenStates> => {
      const longest = Math.max(...texts.map(({ length }) => length));
      const dims = [texts.length, longest];
      const tokens = new BigInt64Array(texts.length * longest);
      const mask = new BigInt64Array(tokens.length);
      texts.forEach((text, n) =>
        text.forEach((id, t) => {
          tokens[n * longest + t] = BigInt(id);
          mask[n * longest + t] = 1n;
        })
      );
      const outputs = await model({
        input_ids: new library.Tensor("int64", tokens, dims),
        attention_mask: new library.Tensor("int64", mask, dims),
      });
      const hidden = outputs.last_hidden_state;
      if (!(hidden?.data instanceof Float32Array) || hidden.dims.length !== 3) {
        throw new UserError(
          `Cannot embed with ${folder}: its outputs are ${
            Object.keys(outputs).join(", ")
          }, expected a float32 ` +
            `last_hidden_state (texts, tokens, dim). Export it for feature extraction in float32`,
        );
      }
      return { data: hidden.data, tokens: hidden.dims[1], dim: hidden.dims[2] };
    };
    const { dim } = await hiddenStates([encode("a")]);
    const embedder: TextEmbedder = {
      dim,
      wholeCorpus: false,
      async embed(texts, onProgress) {
        const sequences = texts.map(encode);
        const vectors = new Float32Array(texts.length * dim);
        let done = 0;
        for (const members of paddedBatches(sequences.map(({ length }) => length), config.batchTokens)) {
          const { data, tokens } = await hiddenStates(members.map((text) => sequences[text]));
          members.forEach((text, n) => {
            const start = n * tokens;
            const end = start + sequences[text].length;
            vectors.set(pool(data, dim, start, end, settings.pooling), text * dim);
          });
          onProgress?.(done += members.length, texts.length);
        }
        return config.normalize ? scaleToUnitRows(vectors, dim) : vectors;
      },
      close: () => void model.dispose(),
    };
    return embedder;
  },
};

/**
 * Numbers of the texts of each batch, texts of like length together: a batch is padded to its longest text and then
 * has at most `batchTokens` tokens, or one text.
 */
export function paddedBatches(lengths: readonly number[], batchTokens: number): number[][] {
  const order = [...lengths.keys()].sort((a, b) => lengths[b] - lengths[a] || a - b);
  const batches: number[][] = [];
  for (const text of order) {
    const batch = batches.at(-1);
    if (batch && (batch.length + 1) * lengths[batch[0]] <= batchTokens) batch.push(text);
    else batches.push([text]);
  }
  return batches;
}

const EncoderJson = z.looseObject({
  max_position_embeddings: z.int().min(1).default(512),
  vocab_size: z.int().min(1),
  eos_token_id: z.union([z.int(), z.array(z.int())]).nullish(),
});

interface HiddenStates {
  data: Float32Array;
  tokens: number;
  dim: number;
}

// What is used of @huggingface/transformers. Its own types would make every type check of this repository fetch it.
interface Library {
  env: { version: string; allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string };
  AutoModel: { from_pretrained(folder: string, options: OnnxOptions): Promise<OnnxModel> };
  Tensor: new (type: "int64", data: BigInt64Array, dims: number[]) => unknown;
}
interface OnnxModel {
  (inputs: Record<string, unknown>): Promise<Record<string, { data: unknown; dims: number[] } | undefined>>;
  dispose(): Promise<unknown>;
}
interface OnnxOptions {
  subfolder: string;
  model_file_name: string;
  dtype: "fp32";
  use_external_data_format: boolean;
}

// Not in the import map, and not a literal of the import: Deno fetches all of the map at the first start of any
// command, and bundles would take the package in. It is 500 MB with its runtimes.
const LIBRARY: string = "npm:@huggingface/transformers@4.3.1";

async function loadLibrary(): Promise<Library> {
  try {
    return await import(LIBRARY);
  } catch (error) {
    throw new UserError(
      `Cannot load transformers.js (${LIBRARY}): ${(error as Error).message}. It is fetched once, ` +
        `with a network; without one use --provider static`,
    );
  }
}

/** Where the model file lies; its name without .onnx makes "fp32" mean the file as it is. */
async function onnxOptions(context: EmbeddingContext, folder: string, file: string): Promise<OnnxOptions> {
  const places = [
    { subfolder: "", names: await context.listFiles(folder) },
    { subfolder: "onnx", names: await context.listFiles(`${folder}/onnx`).catch(() => []) },
  ];
  const place = places.find(({ names }) => names.includes(file));
  if (!place) {
    const others = places.flatMap(({ subfolder, names }) =>
      names.filter((name) => name.endsWith(".onnx")).map((name) => `${subfolder && subfolder + "/"}${name}`)
    );
    throw new UserError(
      `Cannot use ${folder}: it has neither ${file} nor onnx/${file}. ` +
        (others.length > 0
          ? `Choose one of ${others.join(", ")} with --onnx-file`
          : "Export the model to ONNX, or use --provider decoder for Qwen-shaped safetensors"),
    );
  }
  return {
    subfolder: place.subfolder,
    model_file_name: file.replace(/\.onnx$/, ""),
    dtype: "fp32",
    use_external_data_format: place.names.includes(`${file}_data`),
  };
}
