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
  test?: { hr10: number; ndcg10: number };
}

/** MiniOneRec's claims, and the two arms that each compares. */
const CLAIMS = [
  ["pretrained weights beat fresh ones", "pretrained", "from scratch"],
  ["pretrained weights beat fresh ones on all tasks", "pretrained, all tasks", "from scratch, all tasks"],
  ["alignment tasks help a pretrained model", "pretrained, all tasks", "pretrained"],
  ["alignment tasks help a model from scratch", "from scratch, all tasks", "from scratch"],
] as const;

/** A sentence for each claim whose arms were both trained with the same seeds: whether it holds here, by valid NDCG@10. */
export function verdicts(scored: readonly Scored[]): string[] {
  return [...Map.groupBy(scored, ({ layers }) => layers)].flatMap(([layers, own]) =>
    CLAIMS.flatMap(([claim, arm, other]) => {
      const pairs = own.filter((one) => one.arm === arm).flatMap((one) => {
        const beside = own.find(({ arm, seed }) => arm === other && seed === one.seed);
        return beside ? [[one.ndcg10, beside.ndcg10]] : [];
      });
      if (pairs.length === 0) return [];
      const differences = pairs.map(([a, b]) => a - b);
      const holds = differences.every((difference) => difference > 0)
        ? "holds"
        : differences.every((difference) => difference <= 0)
        ? "does not hold"
        : "holds with some seeds alone";
      const told = pairs.map(([a, b]) => `${digits(a)} against ${digits(b)}, ${signedDigits(a - b)}`).join(
        "; ",
      );
      return [
        `${
          layers === 0 ? "All blocks" : layers === 1 ? "1 block" : `${layers} blocks`
        }: that ${claim} ${holds} (${told})`,
      ];
    })
  );
}
