import assert from "node:assert/strict";
import { bestAfter, type TrainingState } from "../../../models/training/state.ts";
import { train, type Training, type TrainingStore, type Validated } from "../../../models/training/loop.ts";

/** A training of nothing: `sum` is what it has learned. */
interface ToyState extends TrainingState {
  sum: number;
}

const fresh = (): ToyState => ({ step: 0, best: null, seconds: 0, validationDue: false, sum: 0 });

type Line = Record<string, unknown> & { step: number };

/** What is left of a training; `told` is called with everything that happens, before it does. */
class Memory implements TrainingStore<ToyState> {
  lines: Line[] = [];
  checkpoints = new Map<number, string>();
  best: number | undefined;
  told: (event: string) => void = () => {};

  restore(fresh: ToyState, isBest: (state: ToyState) => boolean): Promise<ToyState> {
    const latest = [...this.checkpoints.values()].at(-1);
    const state: ToyState = latest === undefined ? fresh : { ...JSON.parse(latest), seconds: 0 };
    if (latest !== undefined && isBest(state)) this.best = state.step;
    this.lines = this.lines.filter((line) =>
      line.step < state.step || line.step === state.step && !(state.validationDue && line.valid)
    );
    return Promise.resolve(state);
  }

  open(steps: number): Promise<void> {
    this.told(`open ${steps}`);
    return Promise.resolve();
  }

  log(step: number, line: Record<string, unknown>): Promise<void> {
    this.told(`log ${step} ${Object.keys(line)}`);
    this.lines.push({ step, ...line });
    return Promise.resolve();
  }

  save({ seconds: _, ...state }: ToyState, best: boolean): Promise<void> {
    this.told(`save ${state.step}${best ? " best" : ""}`);
    this.checkpoints.delete(state.step);
    this.checkpoints.set(state.step, JSON.stringify(state));
    this.told(`mark ${state.step}`);
    if (best) this.best = state.step;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.told("close");
    return Promise.resolve();
  }

  /** All that must not depend on whether the training was stopped. */
  get outcome() {
    return { lines: this.lines, last: [...this.checkpoints].at(-1), best: this.best };
  }
}

/** Five steps; a line every two, a validation every two, a checkpoint every three. */
function toy(
  store: Memory,
  more: Partial<Training<ToyState>> & { scores?: readonly number[]; stop?(event: string): boolean } = {},
): Training<ToyState> {
  const { scores = [3, 1, 2], stop = () => false, ...rest } = more;
  const abort = new AbortController();
  const tell = (event: string) => {
    store.told(event);
    if (stop(event)) abort.abort();
  };
  return {
    fresh: fresh(),
    patience: 0,
    signal: abort.signal,
    store,
    plan: {
      isOver: (steps) => steps >= 5,
      isLog: (steps) => steps % 2 === 0,
      isEvaluation: (steps) => steps % 2 === 0,
      isSave: (steps) => steps % 3 === 0,
    },
    step(state) {
      tell(`step ${state.step}`);
      state.sum += 10 ** state.step;
    },
    log: ({ step, sum }) => store.log(step, { sum }),
    validate({ step }) {
      tell(`validate ${step}`);
      return Promise.resolve(
        abort.signal.aborted ? undefined : { score: scores[Math.ceil(step / 2) - 1], valid: { step } },
      );
    },
    onValidation: ({ step }, _, best) => tell(`told ${step} ${best}`),
    ...rest,
  };
}

/** Everything that happens in a training, in order. */
async function events(training: (store: Memory) => Training<ToyState>) {
  const store = new Memory(), happened: string[] = [];
  store.told = (event) => happened.push(event);
  const end = await train(training(store));
  return { happened, end, store };
}

Deno.test("train() opens, then steps, logs, validates and saves, all of it after the last step", async () => {
  const { happened, end } = await events((store) => toy(store));
  assert.deepEqual(happened, [
    "open 0",
    "step 0",
    ...["step 1", "log 2 sum", "validate 2", "log 2 valid", "told 2 true", "save 2 best", "mark 2"],
    ...["step 2", "save 3", "mark 3"],
    ...["step 3", "log 4 sum", "validate 4", "log 4 valid", "told 4 false"],
    ...["step 4", "log 5 sum", "validate 5", "log 5 valid", "told 5 false", "save 5", "mark 5"],
    "close",
  ]);
  assert.deepEqual([end.stopped, end.steps, end.state.sum], ["finished", 5, 11111]);
  assert.deepEqual(end.state.best, { score: 3, step: 2, stale: 2 });
});

Deno.test("train() stopped or killed at any moment and resumed leaves what an undisturbed one does", async () => {
  for (const measured of [true, false]) {
    // Without anything to measure on, too.
    const more = (): Partial<Training<ToyState>> =>
      measured ? {} : { validate: () => Promise.resolve(undefined) };
    const whole = await events((store) => toy(store, more()));
    assert.equal(whole.store.best, measured ? 2 : 5);
    for (const at of whole.happened.keys()) {
      for (const how of ["stopped", "killed"] as const) {
        const store = new Memory();
        let seen = 0;
        const abort = new AbortController();
        store.told = () => {
          if (seen++ !== at) return;
          if (how === "killed") throw new Error("killed");
          abort.abort();
        };
        await train({ ...toy(store, more()), signal: abort.signal }).catch((error) =>
          assert.equal(error.message, "killed")
        );
        store.told = () => {};
        const { stopped, state } = await train(toy(store, more()));
        const where = `${how} at "${whole.happened[at]}"`;
        assert.deepEqual([stopped, state.sum], ["finished", 11111], where);
        assert.deepEqual(store.outcome, whole.store.outcome, where);
      }
    }
  }
});

Deno.test("train() that was stopped in a validation is interrupted, and makes it up when resumed", async () => {
  const stop = (event: string) => event === "validate 5";
  const { end, store } = await events((store) => toy(store, { stop }));
  assert.deepEqual([end.stopped, end.steps, end.state.validationDue], ["interrupted", 5, true]);
  const again: string[] = [];
  store.told = (event) => again.push(event);
  const resumed = await train(toy(store));
  assert.deepEqual([resumed.stopped, resumed.steps], ["finished", 0]);
  assert.deepEqual(
    again,
    ["open 5", "validate 5", "log 5 valid", "told 5 false", "save 5", "mark 5", "close"],
  );
});

Deno.test("train() stops after `patience` validations without a better one; an equal one is none", async () => {
  const { end, happened } = await events((store) => toy(store, { patience: 1, scores: [3, 3, 4] }));
  assert.deepEqual([end.stopped, end.steps, end.state.best], ["early", 4, { score: 3, step: 2, stale: 1 }]);
  assert.equal(happened.at(-2), "mark 4", "what led to the stop is saved");
});

Deno.test("train() that may only stop at whole epochs keeps the checkpoint before", async () => {
  const plan = { ...toy(new Memory()).plan, isStop: (steps: number) => steps === 3 };
  const stop = (event: string) => event === "step 3";
  const { end, store } = await events((store) => toy(store, { plan, stop }));
  assert.deepEqual([end.stopped, end.steps], ["interrupted", 3]);
  assert.deepEqual([...store.checkpoints.keys()], [2, 3]);
});

Deno.test("train() validates before the first step where that is due, and saves what it started from", async () => {
  const first = { ...fresh(), validationDue: true };
  const validate = ({ step }: ToyState) => Promise.resolve({ score: -step, valid: {} });
  const { happened, store } = await events((store) => toy(store, { fresh: first, validate }));
  assert.deepEqual(happened.slice(0, 5), ["open 0", "log 0 valid", "told 0 true", "save 0 best", "mark 0"]);
  assert.equal(store.best, 0);
});

Deno.test("train() without a store, a signal or validations only steps, and closes what it opened where a step fails", async () => {
  let steps = 0;
  const plan = {
    isOver: (done: number) => done >= 3,
    isLog: () => false,
    isEvaluation: () => true,
    isSave: () => true,
  };
  const bare = { fresh: fresh(), patience: 1, plan, step: () => void steps++, log: () => Promise.resolve() };
  const { stopped, state } = await train<ToyState, Validated>(bare);
  assert.deepEqual([stopped, steps, state.best], ["finished", 3, null]);
  const happened: string[] = [];
  const store = new Memory();
  store.told = (event) => happened.push(event);
  const step = () => Promise.reject(new Error("no numbers"));
  await assert.rejects(train<ToyState, Validated>({ ...bare, fresh: fresh(), step, store }), /no numbers/);
  assert.deepEqual(happened, ["open 0", "close"]);
});

Deno.test("bestAfter() counts validations since the best, and keeps the first of equal ones", () => {
  let best = bestAfter(null, 1, 10);
  assert.deepEqual(best, { score: 1, step: 10, stale: 0 });
  best = bestAfter(bestAfter(best, 1, 20), 0.5, 30);
  assert.deepEqual(best, { score: 1, step: 10, stale: 2 });
  assert.deepEqual(bestAfter(best, 1.5, 40), { score: 1.5, step: 40, stale: 0 });
});
