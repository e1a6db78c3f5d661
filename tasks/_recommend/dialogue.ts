import type { Turn } from "../../data/dataset.ts";
import type { RecommendRequest } from "../../eval/recommender.ts";

/** The best item for a request, and why, where the model writes reasons. */
export interface BestAnswer {
  item: number;
  reasoning?: string;
}

/**
 * Requests with what users say in several turns: each turn but the last is answered with the best item for all that was
 * said until then, as a shop would have shown it. `say` has the turns of each request; `answer` answers many at once.
 */
export async function withTurns<R extends RecommendRequest>(
  requests: readonly R[],
  say: readonly (readonly string[])[],
  answer: (requests: readonly R[]) => Promise<BestAnswer[]>,
): Promise<R[]> {
  const turns: Turn[][] = requests.map(() => []);
  const at = (i: number, turn: number): R => ({
    ...requests[i],
    turns: say[i].length > turn ? [...turns[i], { said: say[i][turn] }] : turns[i],
  });
  const longest = say.reduce((most, { length }) => Math.max(most, length), 0);
  for (let turn = 0; turn < longest - 1; turn++) {
    const going = [...requests.keys()].filter((i) => say[i].length > turn + 1);
    const answers = await answer(going.map((i) => at(i, turn)));
    going.forEach((i, place) => {
      const { item, reasoning } = answers[place];
      turns[i].push({ said: say[i][turn], answered: item, ...(reasoning !== undefined && { reasoning }) });
    });
  }
  return requests.map((request, i) => say[i].length === 0 ? request : at(i, say[i].length - 1));
}
