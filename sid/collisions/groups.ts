/** Groups of at least two equal SIDs, each ascending, in the order of their first items. */
export function collidingGroups(sids: readonly ArrayLike<number | string>[]): number[][] {
  const groups = new Map<string, number[]>();
  sids.forEach((sid, item) => {
    const key = Array.from(sid).join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  });
  return [...groups.values()].filter((group) => group.length > 1);
}
