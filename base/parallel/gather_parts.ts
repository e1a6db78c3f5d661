import { gatherJson, type World } from "./world.ts";

/** Some of the results of a work, and the place of the first of them among all. */
export interface DealtPart<T> {
  first: number;
  results: readonly T[];
}

/** Results of all ranks in the order of their places, from the parts that each has done. */
export async function gatherParts<T>(world: World, own: readonly DealtPart<T>[]): Promise<T[]> {
  const parts = (await gatherJson(world, own)).flat();
  return parts.sort((a, b) => a.first - b.first).flatMap(({ results }) => results);
}
