/** Rounds that are recorded before anyone looks whether the end was among them. */
const MOST_ROUNDS = 16;
/** Milliseconds between two looks: each waits for the device. */
const LOOK = 250;

/**
 * Records rounds of work that stays on the device, `most` of them or until `look` finds that it has ended. How many run
 * between two looks must change nothing: rounds after the end leave everything as it is.
 */
export async function recordRounds(
  most: number,
  record: () => void,
  look: () => Promise<boolean>,
): Promise<void> {
  for (let recorded = 0, count = 1;;) {
    const before = performance.now();
    count = Math.min(count, most - recorded);
    for (let round = 0; round < count; round++) record();
    recorded += count;
    if (await look() || recorded === most) return;
    if (performance.now() - before < LOOK) count = Math.min(2 * count, MOST_ROUNDS);
  }
}
