import { type Capacity, packBatch } from "../../data/packing/batches.ts";
import type { PackInput } from "../../data/packing/sequences.ts";
import {
  crossEntropyBackward,
  crossEntropyChunk,
  crossEntropyRows,
} from "../../kernels/loss/cross_entropy.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Tape } from "../../kernels/tape.ts";
import { groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import type { DecoderConfig } from "../../models/decoder/config.ts";
import { Decoder, type DecoderOptions } from "../../models/decoder/decoder.ts";
import { FINAL_NORM } from "../../models/decoder/blocks.ts";
import { norm } from "../../models/layers/layers.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { PackedTokensBuffer } from "../../models/packing/packed_tokens.ts";
import {
  chunkBackward,
  chunkLogits,
  type LossRows,
  vocabularyChunks,
} from "../../models/losses/vocabulary_loss.ts";
import { OPTIMIZER, randomArray } from "../kernels/workload.ts";

/** How the rows of a step lie in memory. */
export type SftLayout = "packed" | "padded";

/** Forward and backward over rows, ready to be repeated. */
export interface RecordedBatch {
  /** Rows of the matrices of the blocks, and of those of the head. */
  capacity: Capacity;
  /** Uploads the rows and records forward and backward. Needs a scope. */
  record(): void;
  /** Loss of the last time. */
  loss(): Promise<number>;
}

/**
 * `packed` is what training does: rows end to end, logits where there is a target, in chunks that are computed again in
 * the backward pass. `padded` is the usual layout from the same kernels: every row as long as the longest, logits at
 * every position, all of them kept.
 */
export function microBatch(
  device: Device,
  decoder: Decoder,
  rows: readonly PackInput[],
  layout: SftLayout,
): RecordedBatch {
  const sequences = layout === "packed" ? rows : padded(rows);
  const tokens = sequences.reduce((sum, row) => sum + row.tokens.length, 0);
  const targets = sequences.reduce((sum, row) => sum + row.targets.length, 0);
  const capacity = { tokens, rows: layout === "packed" ? targets : tokens };
  const batch = packBatch(sequences, { tokens, rows: targets });
  const laidOut = layout === "packed" ? batch : everywhere(batch, tokens);
  const buffer = new PackedTokensBuffer(device, capacity);
  const { packed } = buffer;
  const loss: LossRows = {
    targets: packed.targets,
    weights: packed.weights,
    stats: device.createFlat("f32", 4 * capacity.rows),
    rowLoss: device.createFlat("f32", capacity.rows),
  };
  return {
    capacity,
    record() {
      buffer.write(laidOut, 1 / batch.counts.weightSum);
      const tape = new Tape(device, true);
      if (layout === "packed") {
        decoder.loss(tape, packed, loss, { labelSmoothing: 0 });
      } else {
        const stream = decoder.hidden(tape, packed);
        const hidden = norm(tape, decoder.parameters, stream, FINAL_NORM, decoder.config.rms_norm_eps);
        keptLoss(tape, decoder, hidden, loss);
      }
      tape.backward();
    },
    async loss() {
      const [losses] = await device.read(loss.rowLoss);
      return losses.reduce((sum, value) => sum + value, 0);
    },
  };
}

/** A whole optimizer step over rows: `run()` records it. */
export function sftStep(
  device: Device,
  config: DecoderConfig,
  rows: readonly PackInput[],
  layout: SftLayout,
  options: DecoderOptions = {},
): RecordedBatch & { run(): void } {
  const decoder = freshDecoder(device, config, options);
  const { learningRate, ...settings } = OPTIMIZER;
  const optimizer = new Optimizer(decoder.parameters, { ...settings, emaDecay: 0 });
  const batch = microBatch(device, decoder, rows, layout);
  let step = 0;
  return {
    ...batch,
    run() {
      optimizer.prepare(step++, learningRate);
      device.scope(() => {
        decoder.parameters.clearGradients();
        batch.record();
        optimizer.step();
      });
    },
  };
}

/** A decoder with small random weights, made parameter by parameter; billions of them repeat a pattern. */
function freshDecoder(device: Device, config: DecoderConfig, options: DecoderOptions): Decoder {
  const decoder = new Decoder(device, config, options);
  const pattern = randomArray("weights", 65521, 0.02); // a prime number, so that no two rows are alike
  for (const { name, rows, cols, init } of decoder.parameters.specs) {
    const values = new Float32Array(rows * groupsOf(cols) * 4);
    if (init === "ones") values.fill(1);
    for (let at = 0; init === "normal" && at < values.length; at += pattern.length) {
      values.set(pattern.subarray(0, values.length - at), at);
    }
    decoder.parameters.writeParameter(name, values);
  }
  decoder.parameters.refresh();
  return decoder;
}

function padded(rows: readonly PackInput[]): PackInput[] {
  const longest = Math.max(...rows.map(({ tokens }) => tokens.length));
  return rows.map(({ tokens, targets }) => {
    const filled = new Uint32Array(longest);
    filled.set(tokens);
    return { tokens: filled, targets };
  });
}

/** The batch with a target at every position, of weight 0 where there was none. */
function everywhere(batch: ReturnType<typeof packBatch>, tokens: number): ReturnType<typeof packBatch> {
  const targetTokens = new Uint32Array(tokens);
  const targetWeights = new Float32Array(tokens);
  batch.targetRows.forEach((row, i) => {
    targetTokens[row] = batch.targetTokens[i];
    targetWeights[row] = batch.targetWeights[i];
  });
  const each = Uint32Array.from({ length: tokens }, (_, row) => row);
  return { ...batch, targetRows: each, inverse: each, targetTokens, targetWeights };
}

/** Cross-entropy with all logits (T, V) kept for the backward pass. */
function keptLoss(tape: Tape, decoder: Decoder, hidden: Matrix, rows: LossRows): void {
  const { device, parameters, headName, vocabulary } = decoder;
  const chunks = vocabularyChunks(parameters.blocks(headName), 8192);
  const logits = chunks.map((chunk) => chunkLogits(device, hidden, chunk));
  const startOf = ({ block, start }: typeof chunks[number]) => block.start + start;
  chunks.forEach((chunk, i) => {
    const start = startOf(chunk);
    crossEntropyChunk(device, logits[i], rows.targets, rows.stats, { start, first: start === 0 });
  });
  const smoothing = { vocabulary, smoothing: 0 };
  crossEntropyRows(device, rows.stats, rows.weights, rows.rowLoss, { rows: hidden.rows, ...smoothing });
  tape.record(() => {
    chunks.forEach((chunk, i) => {
      const dLogits = crossEntropyBackward(device, logits[i], rows.targets, rows.weights, rows.stats, {
        start: startOf(chunk),
        ...smoothing,
      });
      chunkBackward(tape, hidden, chunk, dLogits);
    });
  });
}
