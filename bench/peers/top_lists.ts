import type { Ranked } from "../../eval/recommender.ts";

/** How far the first places of two systems' lists agree. */
export interface Agreement {
  users: number;
  /** Users whose first places are the same SIDs in the same order. */
  equal: number;
  /** Users whose lists differ only where both systems score the place alike: neighbours closer than rounding. */
  ties: number;
  /** Largest difference of the scores at a place, of all users. */
  scoreDifference: number;
}

// Rounding of a sum of three log-probabilities in float32, whatever the order of its terms.
const TIE = 1e-4;

/** Compares the first `k` places, user by user. Scores are on one scale. */
export function compareTopLists(ours: readonly Ranked[], theirs: readonly Ranked[], k: number): Agreement {
  if (ours.length !== theirs.length) {
    throw new RangeError(`Cannot compare ${ours.length} lists with ${theirs.length}: expected as many`);
  }
  const agreement = { users: ours.length, equal: 0, ties: 0, scoreDifference: 0 };
  ours.forEach((own, user) => {
    const other = theirs[user];
    const places = Array.from({ length: Math.min(k, own.sids.length) }, (_, place) => ({
      same: own.sids[place] === other.sids[place],
      difference: Math.abs(own.scores[place] - other.scores[place]),
    }));
    for (const { difference } of places) {
      if (!(difference <= agreement.scoreDifference)) agreement.scoreDifference = difference;
    }
    if (places.every(({ same }) => same)) agreement.equal++;
    else if (places.every(({ same, difference }) => same || difference <= TIE)) agreement.ties++;
  });
  return agreement;
}
