/** Where the arrow keys lead, right and down being above 0. */
const DIRECTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Width of the map by its height. */
const ASPECT = 1000 / 640;

/**
 * The place that an arrow key leads to: the nearest one in the quarter of the plane that the key points to. Without a start
 * it is that in the middle. Undefined for other keys, and where nothing lies there.
 */
export function placeTowards(
  places: readonly { left: number; top: number }[],
  from: number | undefined,
  key: string,
): number | undefined {
  const direction = DIRECTIONS[key];
  if (!direction) return undefined;
  const start = from === undefined ? { left: 0.5, top: 0.5 } : places[from];
  let found: number | undefined, nearest = Infinity;
  places.forEach(({ left, top }, i) => {
    const x = (left - start.left) * ASPECT, y = top - start.top;
    const along = x * direction[0] + y * direction[1];
    const across = Math.abs(x * direction[1]) + Math.abs(y * direction[0]);
    const distance = Math.hypot(x, y);
    if (from !== undefined && (along <= 0 || across > along)) return;
    if (distance < nearest) [found, nearest] = [i, distance];
  });
  return found;
}
