/** Below this exp(1 / epsilon) nears the end of double precision. */
export const LEAST_EPSILON = 0.002;

/** How {@link sinkhornAssign} spreads rows over columns. */
export interface SinkhornOptions {
  /** Strength of the entropy that is added to the transport cost, for distances scaled to [-1, 1]; from {@link LEAST_EPSILON}. */
  epsilon: number;
  /** Rounds of normalising rows, then columns. */
  iterations: number;
}

/**
 * Entropic optimal transport (Cuturi 2013) between rows of equal mass and columns of equal mass, as RQ-VAE training
 * does it: distances are centred and scaled to [-1, 1] together, Q = exp(-D / epsilon) is normalised by row and by
 * column in turns, columns last. So columns sum to exactly rows / cols and rows to 1 only nearly.
 *
 * distances (rows, cols), row after row -> Q (rows, cols) in double precision.
 */
export function sinkhornPlan(
  distances: Float64Array | Float32Array,
  rows: number,
  cols: number,
  { epsilon, iterations }: SinkhornOptions,
): Float64Array {
  if (distances.length !== rows * cols) {
    throw new RangeError(
      `sinkhornPlan() of ${distances.length} distances: expected (${rows}, ${cols}) = ${rows * cols}`,
    );
  }
  if (!(epsilon >= LEAST_EPSILON)) {
    throw new RangeError(`sinkhornPlan() epsilon is ${epsilon}: expected at least ${LEAST_EPSILON}`);
  }
  let least = Infinity;
  let most = -Infinity;
  for (const distance of distances) {
    least = Math.min(least, distance);
    most = Math.max(most, distance);
  }
  const middle = (most + least) / 2;
  const amplitude = most - middle + 1e-5; // never 0, where all distances are alike
  const plan = Float64Array.from(
    distances,
    (distance) => Math.exp(-(distance - middle) / amplitude / epsilon),
  );
  const total = plan.reduce((sum, mass) => sum + mass, 0);
  plan.forEach((mass, i) => plan[i] = mass / total);
  const columnSums = new Float64Array(cols);
  for (let iteration = 0; iteration < iterations; iteration++) {
    columnSums.fill(0);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let i = row * cols; i < (row + 1) * cols; i++) sum += plan[i];
      for (let col = 0; col < cols; col++) columnSums[col] += plan[row * cols + col] /= sum * rows;
    }
    for (let i = 0; i < plan.length; i++) plan[i] /= columnSums[i % cols] * cols;
  }
  for (let i = 0; i < plan.length; i++) plan[i] *= rows;
  return plan;
}

/**
 * Column of the most mass of each row of {@link sinkhornPlan}, of equal ones the first. With fewer rows than columns it
 * is not a near column: rows spread over all columns, and each takes the one where it most beats the others.
 */
export function sinkhornAssign(
  distances: Float64Array | Float32Array,
  rows: number,
  cols: number,
  options: SinkhornOptions,
): Uint32Array<ArrayBuffer> {
  const plan = sinkhornPlan(distances, rows, cols, options);
  return Uint32Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let col = 1; col < cols; col++) if (plan[row * cols + col] > plan[row * cols + best]) best = col;
    return best;
  });
}
