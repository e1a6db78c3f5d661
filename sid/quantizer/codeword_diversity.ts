import { PhiloxStream } from "../../base/philox.ts";
import { scale } from "../../kernels/elementwise/add.ts";
import { columnSum } from "../../kernels/reduce/column_sum.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { gatherRows } from "../../kernels/rows/gather.ts";
import { matmulAt } from "../../kernels/matmul/matmul.ts";
import type { Tape } from "../../kernels/tape.ts";
import { type Flat, groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import { EXCLUDED, InfoNce } from "../../models/losses/contrastive.ts";
import type { RqVae } from "../../models/quantizer/rq_vae.ts";
import { clusterCodewords, drawPositives } from "./codeword_clusters.ts";
import type { QuantizerStep } from "./hooks.ts";
import { codebookName } from "../kmeans/residuals.ts";

/** Settings of {@link CodewordDiversity}. */
export interface DiversityConfig {
  diversityWeight: number;
  clusters: number;
  clusterEpochs: number;
  latentDim: number;
  seed: number;
}

interface Level {
  name: string;
  codewords: number;
  /** (K, K): 1 on the diagonal. */
  identity: Matrix;
  /** (K, K): {@link EXCLUDED} on the diagonal. */
  notItself: Matrix;
  nce: InfoNce;
  /** u32 (K): of each codeword the one that it is drawn to. */
  positives: Flat;
  /** f32 (K): weight times the share of the batch that each codeword codes. */
  shares: Flat;
  /** (K): clusters of the codewords as last found. */
  clusters: Uint32Array;
}

/**
 * Spreads codewords evenly, so that codes are used evenly (LETTER, Wang et al. 2024): every codeword that
 * codes an item is drawn to another one of its cluster and pushed off all others,
 *
 *     loss = -1/(L B) sum over levels l and items i of log(exp(<e_i, e_+>) / sum over e != e_i of exp(<e_i, e>))
 *
 * with e_i the codeword of item i on the level and e_+ another one of its cluster, drawn anew each epoch. Only codebooks
 * have a gradient. Since all items of a codeword have the same loss, it is computed once a codeword.
 */
export class CodewordDiversity {
  readonly #device: Device;
  readonly #config: DiversityConfig;
  readonly #levels: Level[];

  constructor(device: Device, codebookSizes: readonly number[], config: DiversityConfig) {
    this.#device = device;
    this.#config = config;
    this.#levels = codebookSizes.map((codewords, level) => {
      const diagonal = (value: number) => {
        const values = new Float32Array(codewords * codewords);
        for (let k = 0; k < codewords; k++) values[k * codewords + k] = value;
        return device.upload(values, codewords, codewords);
      };
      return {
        name: codebookName(level),
        codewords,
        identity: diagonal(1),
        notItself: diagonal(EXCLUDED),
        nce: new InfoNce(device, { anchors: codewords, keys: codewords, width: config.latentDim }),
        positives: device.createFlat("u32", codewords),
        shares: device.createFlat("f32", groupsOf(codewords) * 4),
        clusters: new Uint32Array(codewords),
      };
    });
  }

  /** Draws positives anew, and clusters anew every `clusterEpochs` epochs. */
  async beforeEpoch(epoch: number, model: RqVae): Promise<void> {
    const { clusters, clusterEpochs, latentDim, seed } = this.#config;
    const tensors = epoch % clusterEpochs === 0 ? await model.tensors() : undefined;
    this.#levels.forEach((level, l) => {
      if (tensors) {
        const codebook = { data: tensors.get(level.name)!.data, rows: level.codewords, dim: latentDim };
        level.clusters = clusterCodewords(codebook, clusters, seed, epoch);
      }
      const random = new PhiloxStream(seed, `positives of level ${l}`, epoch);
      this.#device.write(level.positives, drawPositives(level.clusters, random));
    });
  }

  /** Clusters of the codewords by level, as last found. */
  state(): number[][] {
    return this.#levels.map(({ clusters }) => [...clusters]);
  }

  /** Puts back what {@link state} gave. */
  restore(state: readonly number[][]): void {
    this.#levels.forEach((level, l) => level.clusters = Uint32Array.from(state[l]));
  }

  /** Adds the loss of a batch. */
  loss(tape: Tape, { items, model: { parameters }, quantized, log }: QuantizerStep): void {
    const device = this.#device;
    const weight = this.#config.diversityWeight / this.#levels.length;
    this.#levels.forEach(({ name, codewords, identity, notItself, nce, positives, shares }, l) => {
      const picked = gatherRows(device, identity, quantized.labels[l], items.length);
      const share = scale(device, picked, weight / items.length);
      columnSum(device, share, shares, false);
      [picked, share].forEach((matrix) => device.release(matrix));
      const codebook = parameters.matrix(name);
      tape.record(() => {
        matmulAt(device, identity, tape.gradient(codebook)!, parameters.gradient(name)!, true);
      });
      nce.loss(tape, codebook, codebook, { targets: positives, weights: shares, pairBias: notItself });
      log(`diversity ${l + 1}`, nce.rowLoss, codewords);
    });
  }

  /** Frees everything on the device. */
  destroy(): void {
    for (const { identity, notItself, nce, positives, shares } of this.#levels) {
      nce.destroy();
      [identity, notItself, positives, shares].forEach((tensor) => this.#device.destroy(tensor));
    }
  }
}
