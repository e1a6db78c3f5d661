/** The best validation so far. */
export interface Best {
  /** The higher the better. */
  score: number;
  /** Optimizer steps that it took. */
  step: number;
  /** Validations since. */
  stale: number;
}

/** Where a training stands, as far as its loop goes; each training adds what is its own. */
export interface TrainingState {
  /** Optimizer steps done so far. */
  step: number;
  /** The best validation so far; null before the first. */
  best: Best | null;
  /** Seconds of training, those before a resume included. */
  seconds: number;
  /** The validation after these steps has yet to run: a resumed training catches up on it. */
  validationDue: boolean;
}

/** The state before the first step, with no validation before it. */
export function freshState(): TrainingState {
  return { step: 0, best: null, seconds: 0, validationDue: false };
}

/** The best validation after one more, of `score` after `step` steps; of equal ones the first. */
export function bestAfter(best: Best | null, score: number, step: number): Best {
  return !best || score > best.score ? { score, step, stale: 0 } : { ...best, stale: best.stale + 1 };
}
