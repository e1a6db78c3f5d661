import { groupSize } from "../../data/packing/group_batches.ts";
import { PhiloxStream } from "../../base/philox.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { buildTrie } from "../../sid/trie.ts";
import type { PolicyGroup } from "../../train/rl/policy/batch.ts";
import { type PendingStatistics, PolicyUpdate } from "../../train/rl/policy/update.ts";
import { treePacking } from "../../train/rl/policy/tree_batch.ts";
import { scratchDecoder } from "../../train/sft/scratch_decoder.ts";
import { type SmallDecoder, smallDecoderConfig } from "../results/small_decoder.ts";
import { OPTIMIZER } from "../kernels/workload.ts";

/** Whether a prompt is computed once a group, or once a completion as where rows are repeated. */
export type PromptLayout = "shared" | "copied";

/** Size of a step and of its model. */
export interface RlStepShape extends SmallDecoder {
  prompts: number;
  /** Completions a prompt, G. */
  generations: number;
  promptTokens: number;
  completionTokens: number;
  /** Whether a frozen reference is asked too, for the KL divergence. */
  reference: boolean;
}

/** An update of the policy, ready to be repeated. */
export interface RlStep {
  /** Rows that each layer computes. */
  rows: number;
  /** Forward, backward and optimizer; the next one may start before what it says is asked for. */
  run(): Promise<PendingStatistics>;
}

const SEED = 42;

/** The trainer's own update over random completions; both layouts learn from the same ones. */
export function rlStep(device: Device, shape: RlStepShape, layout: PromptLayout): RlStep {
  const config = smallDecoderConfig(shape, shape.promptTokens + shape.completionTokens);
  const decoder = scratchDecoder(device, config, SEED);
  const { learningRate, ...settings } = OPTIMIZER;
  const optimizer = new Optimizer(decoder.parameters, { ...settings, emaDecay: 0 });
  const groups = layout === "shared" ? randomGroups(shape) : randomGroups(shape).flatMap(copied);
  const sizes = groups.map(groupSize);
  const total = (key: keyof typeof sizes[number]) => sizes.reduce((sum, size) => sum + size[key], 0);
  const capacity = {
    tokens: total("tokens"),
    rows: total("rows"),
    actions: total("actions"),
    completions: total("completions"),
    depth: shape.completionTokens,
  };
  // Normalised over the vocabulary, the update does not walk the trie: a few SIDs that span the tokens will do.
  const ends = [0, shape.vocabulary - 1].map((token) => new Uint32Array(shape.completionTokens).fill(token));
  const frozen = shape.reference
    ? scratchDecoder(device, config, SEED + 1, { trainable: () => false })
    : undefined;
  const update = new PolicyUpdate({
    device,
    policy: decoder,
    optimizer,
    reference: frozen && { use: (compute) => compute(frozen) },
    packing: treePacking,
    trie: new DeviceTrie(device, buildTrie(ends)),
    capacity,
  }, {
    objective: { ratio: "token", clipLow: 0.2, clipHigh: 0.2, kl: "k3", klCoefficient: 1e-3 },
    ratioAgainst: "old",
    normalisation: "vocab",
    numIterations: 1,
    entropyCoefficient: 0,
    dropout: 0,
    seed: SEED,
  });
  let step = 0;
  return { rows: capacity.tokens, run: () => update.run(step++, groups, learningRate) };
}

function randomGroups(shape: RlStepShape): PolicyGroup[] {
  const { prompts, generations, promptTokens, completionTokens, vocabulary } = shape;
  const stream = new PhiloxStream(SEED, "groups");
  const tokens = (length: number) => Uint32Array.from({ length }, () => stream.below(vocabulary));
  const each = <T>(make: () => T) => Array.from({ length: generations }, make);
  return Array.from({ length: prompts }, () => ({
    prompt: tokens(promptTokens),
    completions: each(() => tokens(completionTokens)),
    nodes: each(() => new Uint32Array(completionTokens)),
    advantages: each(() => new Float32Array(completionTokens).fill(stream.normal())),
    weights: new Float32Array(generations).fill(1 / (prompts * generations * completionTokens)),
    supervised: new Float32Array(generations),
  }));
}

/** A group of its own for each completion. */
function copied({ prompt, completions, nodes, advantages, weights, supervised }: PolicyGroup): PolicyGroup[] {
  return completions.map((completion, i) => ({
    prompt,
    completions: [completion],
    nodes: [nodes[i]],
    advantages: [advantages[i]],
    weights: [weights[i]],
    supervised: [supervised[i]],
  }));
}
