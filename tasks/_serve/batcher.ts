import type { ReadWait } from "../../kernels/gpu/readback.ts";

/** Those who are answered together: what they ask for is the same, but for who they are. */
export interface BatchGroup<Q, A> {
  /** How many of so many questions that wait to answer at once. */
  sizeOf(waiting: number): Promise<number>;
  /**
   * An answer each, in order. `wait.onComputed` may be called before: the next batch may begin then. `wait.begin` resolves
   * when the batches before are answered.
   */
  answer(questions: readonly Q[], wait: ReadWait): Promise<A[]>;
}

/** Thrown where no place is free. */
export class QueueFull extends Error {
  /** `seconds` until there may be a place. */
  constructor(readonly seconds: number) {
    super("the queue is full");
  }
}

/** Thrown where the time is up. */
export class DeadlinePassed extends Error {}

/** How a {@link Batcher} works. */
export interface BatcherOptions {
  /** Questions that may wait. */
  maxWaiting: number;
  /** Told of each batch: how many, and how long it took, in seconds. */
  onBatch?(size: number, seconds: number): void;
}

/** When a caller gives up. */
export interface Patience {
  /** Milliseconds from now. */
  within: number;
  /** Aborted when nobody listens any more. */
  signal?: AbortSignal;
}

interface Waiting<Q, A> {
  group: BatchGroup<Q, A>;
  question: Q;
  /** Whether somebody still wants the answer. */
  isWanted(): boolean;
  resolve(answer: A): void;
  reject(error: unknown): void;
}

/**
 * Answers questions in the order of their arrival, each together with those of its group that wait at the same time.
 * One batch is computed at a time, since all share a device: questions that arrive meanwhile are the next batch. It begins
 * when the one before is answered, or only waits for what was computed: it is on its way to the device then, but waits for
 * it only after those before are answered, since the device keeps this thread waiting.
 */
export class Batcher<Q, A> {
  readonly #options: BatcherOptions;
  readonly #turns: (() => Promise<void>)[] = [];
  #queue: Waiting<Q, A>[] = [];
  #isBusy = false;
  /** Batches that are computed, but not answered yet. */
  #answering: Promise<unknown> = Promise.resolve();
  /** Seconds a question, of late. */
  #pace = .05;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Questions that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Answers in the order of the questions.
   * @throws {QueueFull} at once, where not all of them find a place.
   * @throws {DeadlinePassed} where one has no answer in time; none of them is answered then.
   * @throws what the group throws for one of them; the others of its batch are answered nonetheless.
   */
  async ask(questions: readonly Q[], group: BatchGroup<Q, A>, { within, signal }: Patience): Promise<A[]> {
    if (this.waiting + questions.length > this.#options.maxWaiting) {
      throw new QueueFull(Math.max(1, Math.ceil(this.waiting * this.#pace)));
    }
    const { promise: gaveUp, reject: giveUp } = Promise.withResolvers<never>();
    let isWanted = true;
    const timer = setTimeout(() => giveUp(new DeadlinePassed("no answer in time")), within);
    const onAbort = () => giveUp(signal!.reason);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    const answers = questions.map((question) => {
      const { promise, resolve, reject } = Promise.withResolvers<A>();
      this.#queue.push({ group, question, isWanted: () => isWanted, resolve, reject });
      return promise;
    });
    this.#start();
    try {
      return await Promise.race([Promise.all(answers), gaveUp]);
    } finally {
      isWanted = false;
      this.#queue = this.#queue.filter((one) => one.isWanted());
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      // Of several that fail the first is told, and none is left without a listener.
      for (const answer of [...answers, gaveUp]) answer.catch(() => {});
    }
  }

  /** Runs `work` between two batches, before the questions that wait. */
  inTurn<R>(work: () => Promise<R>): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    this.#turns.push(() => work().then(resolve, reject));
    this.#start();
    return promise;
  }

  #start(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    // Requests that arrive in the same moment are searched together.
    setTimeout(() => this.#work(), 0);
  }

  async #work(): Promise<void> {
    for (;;) {
      const turn = this.#turns.shift();
      if (turn) {
        await this.#answering;
        await turn();
      } else if (this.#queue.length > 0) await this.#answerNext();
      else break;
    }
    this.#isBusy = false;
  }

  async #answerNext(): Promise<void> {
    const { group } = this.#queue[0];
    let batch: Waiting<Q, A>[] = [];
    try {
      const ofGroup = () => this.#queue.filter((one) => one.group === group && one.isWanted());
      const size = await group.sizeOf(ofGroup().length);
      batch = ofGroup().slice(0, size);
    } catch (error) {
      this.#queue.filter((one) => one.group === group).forEach(({ reject }) => reject(error));
      this.#queue = this.#queue.filter((one) => one.group !== group);
      return;
    }
    const taken = new Set(batch);
    this.#queue = this.#queue.filter((one) => !taken.has(one) && one.isWanted());
    if (batch.length === 0) return;
    const computed = Promise.withResolvers<void>();
    const before = this.#answering;
    const begin = () => before.then(nextTurn);
    const answered = this.#answer(group, batch, { begin, onComputed: computed.resolve });
    this.#answering = Promise.all([this.#answering, answered]);
    await Promise.race([answered, computed.promise]);
    // Requests that came while the device kept this thread waiting are read first.
    await nextTurn();
  }

  async #answer(
    group: BatchGroup<Q, A>,
    batch: readonly Waiting<Q, A>[],
    wait: ReadWait,
  ): Promise<void> {
    const start = performance.now();
    await answerAll(group, batch, wait);
    const seconds = (performance.now() - start) / 1000;
    this.#pace = .8 * this.#pace + .2 * seconds / batch.length;
    this.#options.onBatch?.(batch.length, seconds);
  }
}

/** Resolves after what waits to be read and written, such as answers. */
function nextTurn(): Promise<void> {
  return new Promise((resume) => setTimeout(resume, 0));
}

async function answerAll<Q, A>(
  group: BatchGroup<Q, A>,
  batch: readonly Waiting<Q, A>[],
  wait: ReadWait,
): Promise<void> {
  try {
    const answers = await group.answer(batch.map(({ question }) => question), wait);
    batch.forEach(({ resolve }, i) => resolve(answers[i]));
  } catch (error) {
    if (batch.length === 1) batch[0].reject(error);
    // One that cannot be answered keeps no others from their answers.
    else for (const one of batch) await answerAll(group, [one], {});
  }
}
