import { UserError } from "../../base/user_error.ts";
import { FINAL_NORM, HEAD } from "../decoder/blocks.ts";
import type { TensorPlace } from "./weight_files.ts";

/** What transformers puts before the names of a backbone inside a language model. */
const BACKBONE = "model.";
/** Modules that others wrap a model in: their names stand inside those of its tensors. */
const WRAPPERS = /(^|\.)(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_model)(?=\.)/g;
const ADAPTER = /(^|\.)(lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|modules_to_save|base_layer)\./;

/** Tensors under the names of a causal language model. */
export interface NamedTensors {
  tensors: Map<string, TensorPlace>;
  /** What stands before all names in the file; "" where nothing does. */
  prefix: string;
}

/**
 * Gives tensors the names that they have inside a causal language model, `model.layers.0...` and `lm_head.weight`: those of
 * the backbone alone lack `model.`, and state dicts of wrapped models have the names of the wrapper in front.
 * @throws {UserError} for adapters that were not merged, and names that no wrapper explains.
 */
export function nameTensors(found: ReadonlyMap<string, TensorPlace>, folder: string): NamedTensors {
  const fail = (problem: string): never => {
    throw new UserError(`Cannot load a model from ${folder}: ${problem}`);
  };
  const adapter = found.keys().find((name) => ADAPTER.test(name));
  if (adapter !== undefined) {
    fail(
      `tensor ${adapter} belongs to an adapter that is not merged. Merge it with PEFT first: ` +
        "model.merge_and_unload().save_pretrained(DIR)",
    );
  }
  const named = new Map<string, TensorPlace>();
  for (const [name, place] of found) {
    const bare = name.replace(WRAPPERS, "$1").replace(/\.{2,}/g, ".").replace(/^\.+/, "");
    if (named.has(bare)) {
      fail(`tensors ${named.get(bare)!.name} and ${name} are both ${bare}. Save the model again`);
    }
    named.set(bare, place);
  }
  // The last norm, which every model has under the one name, shows what stands in front.
  const norm = FINAL_NORM.slice(BACKBONE.length);
  const norms = [...named.keys()].filter((name) => name === norm || name.endsWith(`.${norm}`));
  if (norms.length > 1) {
    fail(`${norms.join(" and ")} are both a last norm. Save the language model by itself`);
  }
  // None at all: reading will name what is missing.
  const front = norms.length === 0 ? "" : norms[0].slice(0, -norm.length);
  // `model.` of the language model itself, or nothing; all before it is another wrapper's.
  const outer = front.endsWith(BACKBONE) ? front.slice(0, -BACKBONE.length) : front;
  if (!["", "model.", "transformer.", "language_model."].includes(outer)) {
    fail(
      `its tensors are named ${front}..., expected ${BACKBONE}... Save the language model by itself: ` +
        "model.save_pretrained(DIR)",
    );
  }
  const tensors = new Map<string, TensorPlace>();
  for (const [name, place] of named) {
    const inner = name.startsWith(outer) ? name.slice(outer.length) : name;
    const isBackbone = front === outer && inner !== HEAD && !inner.startsWith(BACKBONE);
    tensors.set(isBackbone ? BACKBONE + inner : inner, place);
  }
  const first = found.entries().find(([, place]) => place === tensors.get(FINAL_NORM))?.[0] ?? "";
  const standard = [FINAL_NORM, norm].find((name) => first.endsWith(name));
  return { tensors, prefix: standard ? first.slice(0, -standard.length) : "" };
}

// Buffers that older versions of transformers saved, and that follow from the config.
const BUFFERS = /(^|\.)(rotary_emb\.inv_freq|masked_bias|attn\.bias|attention\.bias|position_ids)$/;

/** What is said of tensors that no parameter needs; undefined where there are none. */
export function unusedNote(unused: readonly string[]): string | undefined {
  if (unused.length === 0) return undefined;
  const buffers = unused.filter((name) => BUFFERS.test(name));
  const listed = (names: readonly string[]) => names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : "");
  if (buffers.length === unused.length) {
    return `${unused.length} tensors that follow from config.json are not read (${listed(unused)})`;
  }
  return `${unused.length} tensors are not read, since config.json has no place for them (${
    listed(unused.filter((name) => !BUFFERS.test(name)))
  })`;
}
