// Whether our answers are those of transformers and PyTorch.
import { join } from "node:path";
import { diskFiles } from "../../base/files/disk.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { readSafetensors } from "../../models/safetensors/safetensors.ts";
import type { Answers } from "./ours.ts";
import type { Mode } from "./cases.ts";

/** What bench/python/parity.py wrote of `start/`. */
export interface Golden extends Answers {
  /** Vectors of the texts. */
  vectors: Float32Array[];
  training: Partial<Record<Mode, { losses: number[] }>>;
}

/** How far two sets of answers are apart. */
export interface AnswerGap {
  /** Largest difference of a logit. */
  logits: number;
  /** Greedy texts that are the same in every token, and all. */
  greedy: [same: number, all: number];
  /** Lists of SIDs that are the same in every place, and all. */
  beams: [same: number, all: number];
  /** Largest difference of a list's score, place by place. */
  scores: number;
}

/** `golden.json` and `golden.safetensors` of a folder. */
export async function readGolden(folder: string): Promise<Golden> {
  const golden = JSON.parse(await Deno.readTextFile(join(folder, "golden.json")));
  const tensors = await matrixRows(join(folder, "golden.safetensors"));
  return { ...golden, logits: tensors.get("logits")!, vectors: tensors.get("vectors")! };
}

/** What transformers and PEFT answered with the models that our trainings saved, by MODE-model and MODE-adapter. */
export async function savedAnswers(folder: string): Promise<Map<string, Answers>> {
  const found: Record<string, Omit<Answers, "logits">> = JSON.parse(
    await Deno.readTextFile(join(folder, "saved.json")),
  );
  const logits = await matrixRows(join(folder, "saved.safetensors"));
  return new Map(
    Object.entries(found).map(([name, answers]) => [name, { ...answers, logits: logits.get(name)! }]),
  );
}

/** Rows of the matrices of a file of safetensors, by name. */
export async function matrixRows(path: string): Promise<Map<string, Float32Array[]>> {
  const tensors = readSafetensors(await Deno.readFile(path), path);
  return new Map(
    [...tensors].map(([name, { shape: [rows, cols], data }]) => [
      name,
      Array.from({ length: rows }, (_, row) => data.subarray(row * cols, (row + 1) * cols)),
    ]),
  );
}

/** How far `found` is from `expected`. */
export function differenceOf(found: Answers, expected: Answers): AnswerGap {
  const same = <T>(a: readonly T[], b: readonly T[]): [number, number] => [
    a.filter((value, i) => JSON.stringify(value) === JSON.stringify(b[i])).length,
    b.length,
  ];
  const tokens = ({ beams }: Answers) => beams.map(({ tokens }) => tokens);
  return {
    logits: largest(found.logits, expected.logits),
    greedy: same(found.greedy, expected.greedy),
    beams: same(tokens(found), tokens(expected)),
    scores: largest(found.beams.map(({ scores }) => scores), expected.beams.map(({ scores }) => scores)),
  };
}

/** Largest difference of numbers at the same place; infinite where there are not as many. */
export function largest(found: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  let most = found.length === expected.length ? 0 : Infinity;
  for (const [i, row] of found.entries()) {
    const other = expected[i];
    if (other?.length !== row.length) return Infinity;
    for (let at = 0; at < row.length; at++) {
      const difference = Math.abs(row[at] - other[at]);
      if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
    }
  }
  return most;
}

/** Loads a float32 model and reads it back: tensors that come out in the same bytes, and all. */
export async function unchangedTensors(device: Device, folder: string): Promise<[same: number, all: number]> {
  const pretrained = await Pretrained.open(folder, diskFiles);
  const decoder = await Decoder.load(device, pretrained, pretrained.config);
  let same = 0, all = 0;
  for await (const { name, data } of decoder.parameters.readTensors()) {
    const { data: before } = await pretrained.read(name);
    const [a, b] = [before, data].map(({ buffer, byteOffset, length }) =>
      new Uint32Array(buffer, byteOffset, length)
    );
    if (a.length === b.length && a.every((bits, i) => bits === b[i])) same++;
    all++;
  }
  decoder.destroy();
  return [same, all];
}
