import type { Device } from "../../kernels/gpu/device.ts";
import type { Kernel } from "../../kernels/gpu/kernel.ts";
import type { RowBlock } from "../../kernels/rows/gather.ts";
import { matmulBt } from "../../kernels/matmul/matmul.ts";
import { noise } from "../../kernels/gpu/spec.ts";
import { type Flat, groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import type { DecodeModel, DecodeSession } from "../../models/decoder/decode.ts";
import code from "./fake_model.wgsl" with { type: "text" };

const stepKernel: Kernel = {
  label: "tests/decode/fake_model.wgsl",
  code,
  entry: "fake_step",
  inputs: 2,
  outputs: 1,
  flats: ["read", "read"],
  workgroup: [16, 8],
};

/**
 * A language model small enough for float64 on the host: hidden = sum over the path of decay^age * table[token],
 * logits = head . hidden. So every token of a path matters, and so does which beam was extended.
 */
export class FakeModel implements DecodeModel {
  readonly vocabulary: number;
  mostTokens = Infinity;
  readonly head: readonly RowBlock[];
  /** Prompts that were computed. */
  prompts = 0;
  #device: Device;
  #width: number;
  #decay: number;
  #tableData: Float32Array;
  #headData: Float32Array;
  #table: Matrix;

  /** table (V, C) and head (V, C), row-major. */
  constructor(device: Device, width: number, table: Float32Array, head: Float32Array, decay: number) {
    this.#device = device;
    this.vocabulary = head.length / width;
    this.#width = width;
    this.#decay = decay;
    this.#tableData = table;
    this.#headData = head;
    this.#table = device.upload(table, this.vocabulary, width);
    this.head = [{ start: 0, matrix: device.upload(head, this.vocabulary, width) }];
  }

  static random(device: Device, vocabulary: number, seed: number): FakeModel {
    const width = 7;
    const next = noise(seed);
    const numbers = () => Float32Array.from({ length: vocabulary * width }, next);
    return new FakeModel(device, width, numbers(), numbers(), 0.7);
  }

  start(prompts: Uint32Array[], width: number, maxNewTokens: number): DecodeSession {
    const device = this.#device;
    this.prompts += prompts.length;
    const hidden = device.upload(
      Float32Array.from(prompts.flatMap((prompt) => this.#state(prompt))),
      prompts.length,
      this.#width,
    );
    let before = hidden;
    let [steps, beamsBefore] = [0, width];
    const owned = [hidden];
    return {
      hidden,
      step: (tokens: Flat, parents: Flat): Matrix => {
        if (++steps > maxNewTokens) throw new Error(`step ${steps} of ${maxNewTokens}`);
        const rows = tokens.length;
        const beams = rows / prompts.length;
        const after = device.createMatrix(rows, this.#width);
        owned.push(after);
        device.run(stepKernel, {
          inputs: [this.#table, before],
          outputs: [after],
          flats: [tokens, parents],
          u32: [rows, groupsOf(this.#width), beams, beamsBefore, Number(steps === 1)],
          f32: [this.#decay],
          invocations: [groupsOf(this.#width), rows],
        });
        beamsBefore = beams;
        return before = after;
      },
      close: () => owned.forEach((matrix) => device.destroy(matrix)),
    };
  }

  logitParts(hidden: Matrix): Matrix[] {
    return [matmulBt(this.#device, hidden, this.head[0].matrix)];
  }

  /** Logits (V) after a path of tokens, in float64. */
  logitsAfter(path: ArrayLike<number>): number[] {
    const state = this.#state(path);
    return Array.from({ length: this.vocabulary }, (_, v) => {
      let sum = 0;
      for (let c = 0; c < this.#width; c++) sum += state[c] * this.#headData[v * this.#width + c];
      return sum;
    });
  }

  #state(path: ArrayLike<number>): number[] {
    const state = new Array<number>(this.#width).fill(0);
    for (let i = 0; i < path.length; i++) {
      for (let c = 0; c < this.#width; c++) {
        state[c] = this.#tableData[path[i] * this.#width + c] + this.#decay * state[c];
      }
    }
    return state;
  }
}
