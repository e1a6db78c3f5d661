import { groupStatistics } from "./advantages.ts";
import { round } from "../../base/round.ts";
import type { AnswerGroup } from "./rollout.ts";
import type { UpdateStatistics } from "./policy/update.ts";

/** One line of the log: means over the steps since the last one. */
export interface Diagnostics {
  /** Total reward: mean over answers. */
  reward: number;
  /** Mean over groups of its standard deviation within a group. */
  rewardStd: number;
  /** The same two of each reward before its weight. */
  rewards: Record<string, { mean: number; std: number }>;
  /** Share of groups in which the model wrote a target: one that was put into the group, or guided, does not count. */
  hitGroups: number;
  /** Share of groups whose rewards are all equal: they teach nothing. */
  zeroVariance: number;
  /** Share of groups in which no answer got any reward: all of them 0. */
  unrewarded: number;
  /**
   * Share of prompts with a target among k answers that the model wrote: the first k of beams, any k of draws (Chen et
   * al. 2021, unbiased; too high where dynamic sampling has picked the draws).
   */
  passAt: Record<string, number>;
  /** Different answers of a group over its size. */
  diversity: number;
  /** Answers that are no SID of the catalogue: a search in the trie makes none. */
  invalid: number;
  /** KL divergence from the reference a token (k3), in nats. */
  kl: number;
  /** Entropy where a token is chosen, in nats. */
  entropy: number;
  /** Share of tokens that the objective clipped. */
  clipShare: number;
  /** Mean gradient norm before clipping, of updates that did not overflow. */
  gradNorm: number;
  /** Mean policy loss of a step. */
  policyLoss: number;
  /** Mean supervised loss of a step, where it has a weight. */
  supervisedLoss: number;
  /** Tokens of the answers that updates read. */
  tokens: number;
  /** With float16, what the loss is scaled with from now on. */
  lossScale?: number;
  /** With float16, updates of the whole run so far whose gradients overflowed: they changed nothing but the scale. */
  skippedUpdates?: number;
}

const DIGITS = 4;
/** Group sizes at which pass@k is told. */
const PASS_AT = [1, 2, 4, 8, 16, 32];

/** What a group's rewards came to. */
export interface ScoredGroup {
  group: AnswerGroup;
  /** (G) */
  total: Float64Array;
  /** A list a reward. */
  byReward: readonly Float64Array[];
  /** (G) whether an answer is the SID of a target. */
  hits: readonly boolean[];
}

/** Sums behind the lines of the log; they can be saved and restored, so that a resumed run writes the same lines. */
export class DiagnosticSums {
  #names: readonly string[];
  #sums: Record<string, number>;

  /** `names` of the rewards. */
  constructor(names: readonly string[], sums: Record<string, number> = {}) {
    this.#names = names;
    this.#sums = { ...sums };
  }

  /** Adds the groups of a step. */
  addGroups(groups: readonly ScoredGroup[]): void {
    for (const { group: { completions, ranked }, total, byReward, hits } of groups) {
      // A target that was put into the group has no probability, and guided answers are told where it is.
      const own = [...completions.keys()].filter((i) => completions[i].given === 0);
      const written = own.map((i) => hits[i] && completions[i].logProb > -Infinity);
      const found = written.filter((hit) => hit).length;
      this.#add("groups", 1);
      this.#add("invalid", completions.filter(({ items }) => items.length === 0).length);
      this.#add("hitGroups", found > 0 ? 1 : 0);
      this.#add("diversity", new Set(completions.map(({ leaf }) => leaf)).size / completions.length);
      const { mean, std, zeroVariance } = groupStatistics(total);
      this.#add("zeroVariance", zeroVariance ? 1 : 0);
      this.#add("unrewarded", total.every((value) => value === 0) ? 1 : 0);
      this.#add("reward", mean);
      this.#add("rewardStd", std);
      this.#names.forEach((name, i) => {
        const { mean, std } = groupStatistics(byReward[i]);
        this.#add(`mean ${name}`, mean);
        this.#add(`std ${name}`, std);
      });
      for (const k of PASS_AT.filter((k) => k <= own.length)) {
        const pass = ranked ? written.slice(0, k).includes(true) ? 1 : 0 : passAtK(own.length, found, k);
        this.#add(`pass ${k}`, pass);
      }
    }
  }

  /** Adds what the updates of a rollout said. */
  addUpdate(statistics: UpdateStatistics): void {
    this.#add("steps", 1);
    for (
      const key of [
        "policyLoss",
        "supervisedLoss",
        "kl",
        "clipped",
        "tokens",
        "entropy",
        "rows",
      ] as const
    ) {
      this.#add(key, statistics[key]);
    }
    const { overflowed, gradientNorm, lossScale, skipped } = statistics;
    if (overflowed) this.#add("overflowed", 1);
    else this.#add("gradientNorm", gradientNorm);
    if (lossScale !== undefined) Object.assign(this.#sums, { lossScale, skipped });
  }

  /** Mean KL divergence a token so far; 0 before any update. */
  get kl(): number {
    return this.#get("kl") / Math.max(1, this.#get("tokens"));
  }

  /** The line, and a fresh start. */
  take(): Diagnostics {
    const groups = Math.max(1, this.#get("groups")), steps = Math.max(1, this.#get("steps"));
    const tokens = this.#get("tokens");
    const { lossScale, skipped: skippedUpdates } = this.#sums;
    const ofGroups = (name: string) => round(this.#get(name) / groups, DIGITS);
    const line: Diagnostics = {
      reward: ofGroups("reward"),
      rewardStd: ofGroups("rewardStd"),
      rewards: Object.fromEntries(
        this.#names.map((name) => [name, { mean: ofGroups(`mean ${name}`), std: ofGroups(`std ${name}`) }]),
      ),
      hitGroups: ofGroups("hitGroups"),
      zeroVariance: ofGroups("zeroVariance"),
      unrewarded: ofGroups("unrewarded"),
      passAt: Object.fromEntries(
        PASS_AT.filter((k) => `pass ${k}` in this.#sums).map((k) => [k, ofGroups(`pass ${k}`)]),
      ),
      diversity: ofGroups("diversity"),
      invalid: this.#get("invalid"),
      kl: round(this.kl, 6),
      entropy: round(this.#get("entropy") / Math.max(1, this.#get("rows")), DIGITS),
      clipShare: round(this.#get("clipped") / Math.max(1, tokens), DIGITS),
      gradNorm: round(this.#get("gradientNorm") / Math.max(1, steps - this.#get("overflowed")), DIGITS),
      policyLoss: round(this.#get("policyLoss") / steps, 6),
      supervisedLoss: round(this.#get("supervisedLoss") / steps, 6),
      tokens,
      ...(lossScale !== undefined && { lossScale, skippedUpdates }),
    };
    this.#sums = {};
    return line;
  }

  /** For a checkpoint. */
  toJSON(): Record<string, number> {
    return { ...this.#sums };
  }

  #get(name: string): number {
    return this.#sums[name] ?? 0;
  }

  #add(name: string, value: number): void {
    this.#sums[name] = this.#get(name) + value;
  }
}

/** Chance that at least one of k answers drawn from n, `found` of them right, is right: 1 - C(n - found, k) / C(n, k). */
export function passAtK(n: number, found: number, k: number): number {
  if (n - found < k) return 1;
  let miss = 1;
  for (let i = 0; i < k; i++) miss *= (n - found - i) / (n - i);
  return 1 - miss;
}
