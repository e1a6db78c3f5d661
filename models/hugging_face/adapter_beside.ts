import { UserError } from "../../base/user_error.ts";
import { EMBEDDING, HEAD } from "../decoder/blocks.ts";
import { adapterNames, isAdapterTensor, peftName } from "../parameters/lora.ts";
import { readFileHeader } from "../safetensors/header.ts";
import { type BaseNumber, readBaseNumbers } from "./adapter_base.ts";
import { readPeftConfig } from "./peft_adapter.ts";
import { ADAPTER_CONFIG, baseModelOf, type ModelFiles, type TensorPlace } from "./weight_files.ts";

const WEIGHTS = "adapter_model.safetensors";

/** An adapter of PEFT that stands beside the weights of a model. */
export interface AdapterBeside {
  /** Factor of B A. */
  scale: number;
  /** A and B by the name of the weight that they are added to. */
  factors: ReadonlyMap<string, { a: TensorPlace; b: TensorPlace }>;
  /** Model that it was made for, as its config names it; "" where it does not. */
  base: string;
  /** Some numbers of the weights that it was made for, where they are known. */
  numbers: readonly BaseNumber[];
  /** Weights that it has of its own, in place of the model's: PEFT's `modules_to_save`. */
  replaced: ReadonlyMap<string, TensorPlace>;
}

/**
 * The adapter beside the tensors of a model, which transformers adds to them; undefined where there is none. `tied`:
 * whether the model's head is its embedding.
 * @throws {UserError} for an adapter of another kind, and tensors that fit no weight of the model.
 */
export async function readAdapterBeside(
  folder: string,
  files: ModelFiles,
  model: ReadonlyMap<string, TensorPlace>,
  tied: boolean,
): Promise<AdapterBeside | undefined> {
  const names = await files.listFiles(folder);
  if (!names.includes(ADAPTER_CONFIG)) return undefined;
  const fail = (problem: string): never => {
    throw new UserError(
      `Cannot load a model from ${folder}: ${problem}. Merge the adapter with PEFT first, or move ${ADAPTER_CONFIG} away ` +
        "to use the weights without it",
    );
  };
  if (!names.includes(WEIGHTS)) {
    fail(`${ADAPTER_CONFIG} says that a PEFT adapter stands beside the weights, but there is no ${WEIGHTS}`);
  }
  const path = `${folder}/${ADAPTER_CONFIG}`;
  const text = new TextDecoder().decode(await files.readFile(path));
  const { r, alpha, targetModules, rankStabilised } = readPeftConfig(text, path);
  const base = baseModelOf(text, path);
  const adapter = base === "" ? "its adapter" : `its adapter of ${base}`;
  const file = `${folder}/${WEIGHTS}`;
  const { entries, metadata } = await readFileHeader(file, files);
  const places = new Map(entries.map((entry) => [entry.name, { ...entry, path: file }]));
  const factors = new Map<string, { a: TensorPlace; b: TensorPlace }>();
  const replaced = new Map<string, TensorPlace>();
  // A tied head is a module of its own to PEFT.
  for (const name of new Set([...model.keys(), HEAD])) {
    const own = places.get(peftName(name));
    if (own) replaced.set(name, own);
    places.delete(peftName(name));
  }
  if (tied && replaced.has(EMBEDDING) !== replaced.has(HEAD)) {
    fail(`of ${EMBEDDING} and ${HEAD}, which config.json ties, ${adapter} has one alone`);
  }
  for (const [name, { shape: [rows, cols] }] of model) {
    const { a: aName, b: bName } = adapterNames(name);
    const [a, b] = [places.get(aName), places.get(bName)];
    if (!a && !b) continue;
    if (name === EMBEDDING || name === HEAD) {
      fail(`${adapter} has factors of ${name}, which is not supported`);
    }
    // PEFT leaves out what has no module to go to.
    const module = name.replace(/\.weight$/, "");
    if (targetModules !== "all" && !targetModules.some((target) => `.${module}`.endsWith(`.${target}`))) {
      fail(
        `${adapter} has factors of ${module}, and target_modules in ${ADAPTER_CONFIG} are ${
          targetModules.join(", ")
        }`,
      );
    }
    if (!a || !b) return fail(`of ${aName} and ${bName} in ${adapter} one is missing`);
    if (a.shape.join() !== [r, cols].join() || b.shape.join() !== [rows, r].join()) {
      fail(
        `${aName} of ${adapter} has shape [${a.shape}] and ${bName} [${b.shape}], expected [${r},${cols}] and ` +
          `[${rows},${r}] for these weights`,
      );
    }
    factors.set(name, { a, b });
    places.delete(aName);
    places.delete(bName);
  }
  const [left] = places.keys();
  if (left !== undefined) {
    fail(
      isAdapterTensor(left)
        ? `${left} of ${adapter} belongs to no weight of the model`
        : `${left} of ${adapter} is neither a factor of LoRA nor a weight of the model`,
    );
  }
  return {
    scale: alpha / (rankStabilised ? Math.sqrt(r) : r),
    factors,
    base,
    numbers: readBaseNumbers(metadata, file),
    replaced,
  };
}
