import { direction, userMeans, type UserRanks } from "../../eval/compare.ts";
import { mean, ndcgAtK, pairedDifference } from "../../eval/metrics.ts";
import { digits, signedDigits } from "../pages/page.ts";

/** What a training of an arm reached. */
export interface Scored {
  /** Blocks of the model; 0: all. */
  layers: number;
  arm: string;
  seed: number;
  /** Its validations. */
  curve: { step: number; hr10: number; ndcg10: number; loss: number }[];
  /** The best of them. */
  hr10: number;
  ndcg10: number;
  minutes: number;
  /** On the test split, where it was asked. */
  test?: UserRanks;
}

/** MiniOneRec's claims, and the two arms that each compares. */
const CLAIMS = [
  ["pretrained weights beat fresh ones", "pretrained", "from scratch"],
  ["pretrained weights beat fresh ones on all tasks", "pretrained, all tasks", "from scratch, all tasks"],
  ["alignment tasks help a pretrained model", "pretrained, all tasks", "pretrained"],
  ["alignment tasks help a model from scratch", "from scratch, all tasks", "from scratch"],
] as const;

/**
 * A sentence for each claim whose arms were both trained with the same seeds: what the test split says of it, paired by
 * user, means over the seeds. Nothing is decided by valid, whose few rows chose the checkpoints.
 */
export function verdicts(scored: readonly Scored[]): string[] {
  return [...Map.groupBy(scored, ({ layers }) => layers)].flatMap(([layers, own]) =>
    CLAIMS.flatMap(([claim, arm, other]) => {
      const pairs = own.filter((one) => one.arm === arm).flatMap((one) => {
        const beside = own.find(({ arm, seed }) => arm === other && seed === one.seed);
        return beside ? [[one, beside]] : [];
      });
      if (pairs.length === 0) return [];
      const blocks = layers === 0 ? "All blocks" : layers === 1 ? "1 block" : `${layers} blocks`;
      return [`${blocks}: that ${claim} ${verdictOf(pairs)}`];
    })
  );
}

function verdictOf(pairs: readonly Scored[][]): string {
  const of = (a: number, b: number) => `${digits(a)} against ${digits(b)}, ${signedDigits(a - b)}`;
  const tests = [0, 1].map((side) =>
    pairs.map((pair) => pair[side].test).filter((test) => test !== undefined)
  );
  if (tests.some(({ length }) => length < pairs.length)) {
    const valid = pairs.map(([one, beside]) => of(one.ndcg10, beside.ndcg10)).join("; ");
    return `was not tested (valid: ${valid})`;
  }
  const [one, beside] = tests.map((own) => userMeans(own, ndcgAtK, 10));
  const found = pairedDifference(one, beside, { seed: pairs[0][0].seed });
  const word = { better: "holds", worse: "does not hold", none: "is not resolved" }[direction(found)];
  const [low, high] = found.ci95.map(signedDigits);
  return `${word} (test: ${of(mean(one), mean(beside))} [${low}, ${high}])`;
}
