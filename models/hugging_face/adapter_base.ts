import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import type { NamedTensor } from "../parameters/merge_lora.ts";

/** Key of the metadata of `adapter_model.safetensors` under which an adapter has some numbers of the weights below it. */
export const BASE_NUMBERS = "genrec.base";

const Numbers = z.array(z.tuple([z.string(), z.int().min(0), z.number()]));

/** A number of a weight. */
export interface BaseNumber {
  /** Name of the weight. */
  name: string;
  /** Place of the number, last index fastest. */
  at: number;
  value: number;
}

// Of each weight. A tuned copy of a model differs in most weights, and two weights of other models in any number.
const NUMBERS = 2;
// Weights that training holds in half precision are rounded.
const ROUNDING = 2 ** -10;
const SUBNORMAL = 2 ** -24;

/** Takes down some numbers of the weights of a model while they pass by. */
export class BaseNumbers {
  #numbers: BaseNumber[] = [];

  /** Hands on tensors, those of `wanted` after a look at them. */
  async *watched(
    tensors: AsyncIterable<NamedTensor> | Iterable<NamedTensor>,
    wanted: (name: string) => boolean,
  ): AsyncGenerator<NamedTensor> {
    for await (const tensor of tensors) {
      const { name, from, data } = tensor;
      if (from === undefined && wanted(name)) {
        for (let i = 0; i < NUMBERS; i++) {
          const at = Math.floor((i + 0.5) * data.length / NUMBERS);
          this.#numbers.push({ name, at, value: data[at] });
        }
      }
      yield tensor;
    }
  }

  /** Metadata for the file of an adapter; none where no weight passed by. */
  metadata(): Record<string, string> {
    if (this.#numbers.length === 0) return {};
    return { [BASE_NUMBERS]: JSON.stringify(this.#numbers.map(({ name, at, value }) => [name, at, value])) };
  }
}

/**
 * What {@link BaseNumbers.metadata} wrote; nothing for adapters of other programs.
 * @throws {UserError} where it is damaged, naming `source`.
 */
export function readBaseNumbers(
  { [BASE_NUMBERS]: text }: Readonly<Record<string, string>>,
  source: string,
): BaseNumber[] {
  if (text === undefined) return [];
  return parseJson(text, `${BASE_NUMBERS} of ${source}`, Numbers).map(([name, at, value]) => ({
    name,
    at,
    value,
  }));
}

/** Whether a number is the one that was taken down, but for the rounding of float16. */
export function isSameNumber(found: number, { value }: BaseNumber): boolean {
  return Math.abs(found - value) <= ROUNDING * Math.abs(value) + SUBNORMAL;
}
