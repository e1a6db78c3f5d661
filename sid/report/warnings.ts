import type { SidReport } from "../statistics.ts";

/** Share of a codebook below which it counts as collapsed. */
const LEAST_USAGE = 0.5;
/** Perplexity as a share of the codebook below which a few codewords carry most items. */
const LEAST_PERPLEXITY = 0.25;
/** Share of items on a SID of others, as coded, above which the codes say too little. */
const MOST_COLLISIONS = 0.05;

/**
 * What is wrong with SIDs and what to do, in plain words; empty where nothing is. `before` are the SIDs as coded,
 * `after` those that the collision policy left, `unexplained` by learned level the share of the variance that the codes
 * so far leave over.
 */
export function sidWarnings(
  before: SidReport,
  after: SidReport,
  unexplained: readonly number[],
): string[] {
  const warnings: string[] = [];
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  for (const { level, used, codebookSize, usage, perplexity } of before.levels.slice(0, unexplained.length)) {
    if (used === 1 && codebookSize > 1) {
      warnings.push(
        `Level ${level} is dead: the method gave every item the same code there, so it tells nothing apart` +
          (after.levels.find((other) => other.level === level)!.used > 1
            ? " (other codes in the table come from --collisions). "
            : ". ") +
          "The levels before it left nothing over, or the codebook of a trained method collapsed. Use fewer --levels, " +
          "or a smaller codebook in the levels before",
      );
    } else if (usage < LEAST_USAGE) {
      warnings.push(
        `Level ${level} uses ${used} of ${codebookSize} codewords (${
          percent(usage)
        }): its codebook collapsed. For ` +
          "trained methods: --normalize center --codebook-start kmeans --reset-dead-codes; or use --method rqkmeans, " +
          "which refills empty clusters, or a smaller codebook",
      );
    } else if (perplexity < LEAST_PERPLEXITY * codebookSize) {
      warnings.push(
        `Level ${level} is uneven: its ${used} codewords tell items apart no better than ${
          perplexity.toFixed(0)
        } ` +
          "equally used ones would. Use a method that balances its clusters (rqkmeans-balanced, " +
          "rqkmeans-constrained), or a smaller codebook",
      );
    }
  }
  if (unexplained.at(-1)! >= 1) {
    warnings.push(
      "The vectors that the codes stand for are farther from the items' than the mean of all items is: the decoder has " +
        "learned nothing yet. Train longer (--epochs), or use a method without training, such as rqkmeans",
    );
  }
  if (before.collisionRate > MOST_COLLISIONS) {
    warnings.push(
      `${
        percent(before.collisionRate)
      } of the items got codes that another item has already. What the policy moves ` +
        "no longer means what its tokens say: use more --levels or a larger codebook, or embeddings that tell these " +
        "items apart (are there many equal texts?)",
    );
  }
  if (after.collisionGroups > 0) {
    warnings.push(
      `${after.collidingItems} items still share a SID, up to ${after.largestGroup} on one: a model cannot tell them ` +
        "apart. Use --collisions extra-level or nearest-free, unless sharing is meant",
    );
  }
  return warnings;
}
