/** Prompts whose beams are remembered. */
const MEMORY = 256;
/** Prompts to have seen before fewer beams than all run. */
const ENOUGH = 32;
/** Beams run in multiples of this, so that few sizes of matrices exist. */
const BLOCK = 4;

/**
 * How many of a prompt's beams must run on after each step, learned from the prompts before. Log-probabilities fall with
 * every token, so that a beam below the last answer that is asked for leads to none. Which beams those are is known only
 * afterwards: so many run as were needed by one of the last {@link MEMORY} prompts, and a prompt that needed more is
 * searched again with all of them. Answers are those of a search with all beams.
 */
export class BeamWidths {
  readonly #beams: number;
  readonly #steps: number;
  /** By answers asked for: beams that each prompt needed after each step, those of the last prompt at the end. */
  readonly #needed = new Map<number, number[][]>();

  /** `beams` a prompt in searches of `steps` steps. */
  constructor(beams: number, steps: number) {
    this.#beams = beams;
    this.#steps = steps;
  }

  /** Beams to run on after each step (steps) where `answers` a prompt are asked for. */
  of(answers: number): number[] {
    const seen = this.#needed.get(answers) ?? [];
    return Array.from({ length: this.#steps }, (_, step) => {
      if (seen.length < ENOUGH) return this.#beams;
      const most = seen.reduce((most, needed) => Math.max(most, needed[step]), 1);
      return Math.min(this.#beams, Math.ceil(most / BLOCK) * BLOCK);
    });
  }

  /** Remembers what a prompt needed after each step (steps). */
  learn(answers: number, needed: number[]): void {
    const seen = this.#needed.get(answers) ?? [];
    this.#needed.set(answers, [...seen, needed].slice(-MEMORY));
  }
}
