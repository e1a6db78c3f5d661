/** Draws to take for a group of G completions in dynamic sampling: floor(1.5 G). */
export function drawsForGroup(group: number): number {
  return Math.floor(1.5 * group);
}

/**
 * Picks a group of G from more draws, so that what is right stays and the rest is as diverse as can be: the drawn
 * targets as often as they were drawn, at most G of them; then one each of the other SIDs, most frequent first, equally
 * frequent ones by first appearance; then these again in the same order until there are G. As MiniOneRec does.
 *
 * `drawn` and `targets` are leaves of a trie -> (G) leaves.
 * @throws {RangeError} if there are fewer draws than G.
 */
export function dynamicSample(drawn: readonly number[], targets: readonly number[], group: number): number[] {
  if (drawn.length < group) {
    throw new RangeError(
      `Cannot pick a group of ${group} from ${drawn.length} draws: expected ${drawsForGroup(group)}`,
    );
  }
  const right = new Set(targets);
  const hits = drawn.filter((leaf) => right.has(leaf)).slice(0, group);
  const counts = new Map<number, number>(); // in the order of first appearance, which sorting keeps
  for (const leaf of drawn) {
    if (!right.has(leaf)) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  }
  const others = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
  return hits.concat(Array.from({ length: group - hits.length }, (_, i) => others[i % others.length]));
}
