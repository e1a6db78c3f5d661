/** One prompt of reinforcement learning with everything that a reward may ask about it. */
export interface RlExample {
  /** What the model reads. */
  prompt: Uint32Array;
  /**
   * Item numbers that are right, those that the example itself says first: each carries its own, so equal prompts may
   * have different targets.
   */
  targets: readonly number[];
  /** Item numbers the user bought before, oldest first; empty where a task tells of none. */
  history: readonly number[];
  /** Place of its task in {@link RlExamples.tasks}. */
  task: number;
  /** Place of its answers in {@link RlExamples.texts}; absent where it is answered with a SID. */
  text?: number;
}

/** Examples to learn from, made one at a time. */
export interface RlExamples {
  /** Number of examples. */
  readonly count: number;
  /** Names of the tasks that they belong to. */
  readonly tasks: readonly string[];
  /**
   * Texts that examples are answered with, (N) token ids each: what the model writes for each item, empty for items that
   * have no such text. Absent: all are answered with SIDs.
   */
  readonly texts?: readonly (readonly Uint32Array[])[];
  /** Example `i`: the same whenever it is asked for. */
  make(i: number): RlExample;
  /** The examples of an epoch in training order. */
  order(epoch: number, seed: number): Uint32Array;
}
