import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import { type GoOnWith, KeptWork } from "../../../data/kept/work.ts";
import {
  type CountedSample,
  countHeld,
  PurchaseCounter,
  type SampleCounter,
  TransitionCounter,
} from "../../../eval/transition_counts.ts";
import { countInParts, type CountState, rankInParts } from "../../../train/baselines/counting.ts";
import { filesIn } from "../../tasks/genrec.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const ITEMS = 30, PART = 25, HIDDEN = ".run.genrec-count";

/** Samples of a few users, some items far more often than others, one never. */
const samples: CountedSample[] = (() => {
  const random = new PhiloxStream(3, "counts");
  const item = () => Math.floor((ITEMS - 1) * random.uniform() ** 2);
  return Array.from({ length: 240 }, (_, row) => ({
    user: row % 40,
    history: Array.from({ length: 1 + random.below(9) }, item),
    target: item(),
  }));
})();

const COUNTERS: Record<string, () => SampleCounter<unknown>> = {
  purchases: () => new PurchaseCounter(ITEMS),
  transitions: () => new TransitionCounter(ITEMS, {}, 150),
  "the largest of each item": () => new TransitionCounter(ITEMS, { largest: 3 }, 150),
  "sequential rules": () => new TransitionCounter(ITEMS, { backwards: 0.5 }, 10),
};

interface Counting {
  dir: string;
  counter: SampleCounter<unknown>;
  goOn?: Partial<GoOnWith>;
  /** Called before each sample is counted. */
  between?: () => void;
}

/** Counts as beside a run `dir/run`; what is counted, and how many samples were read from where they come. */
async function count({ dir, counter, goOn, between }: Counting) {
  const kept = await KeptWork.open<CountState>(join(dir, "run"), "count", [], {
    of: {},
    signal: new AbortController().signal,
    log: assert.fail,
    keepEvery: 0,
    ...goOn,
  });
  await using _kept = kept;
  let read = 0;
  const watched: SampleCounter<unknown> = {
    goesAgain: counter.goesAgain,
    add(sample) {
      between?.();
      counter.add(sample);
    },
    endWay: () => counter.endWay(),
    result: () => counter.result(),
    state: () => counter.state(),
    goOn: (values, columns) => counter.goOn(values, columns),
  };
  const counted = await countInParts(
    async function* ({ rows }) {
      for (let row = rows; row < samples.length; row += PART) {
        read += PART;
        yield await Promise.resolve(samples.slice(row, row + PART));
      }
    },
    watched,
    kept,
  );
  assert.equal(counted.samples, samples.length);
  return { result: counted.result, read };
}

for (const [what, make] of Object.entries(COUNTERS)) {
  Deno.test(`a count of ${what} that was killed anywhere goes on to the same numbers`, async () => {
    await withFiles({}, async (dir) => {
      const expected = countHeld(samples, make());
      let added = 0, moments = 0;
      const between = () => {
        // Among the first samples nothing is kept.
        if (added++ >= PART && added % 20 === 0) {
          cpSync(join(dir, HIDDEN), join(dir, `${moments++}`), { recursive: true });
        }
      };
      const whole = await count({ dir, counter: make(), between });
      assert.deepEqual(whole.result, expected);
      assert.equal(filesIn(dir)!.filter((name) => name.startsWith(".")).length, 0);
      assert.equal(make().goesAgain, added > samples.length);
      const ways = added / samples.length;
      for (let moment = 0, before = Infinity; moment < moments; moment++) {
        await Deno.rename(join(dir, `${moment}`), join(dir, HIDDEN));
        let again = 0;
        const { result, read } = await count({ dir, counter: make(), between: () => again++ });
        assert.deepEqual(result, expected, `moment ${moment}`);
        assert.ok(read <= before && again < added && again <= (ways - Math.floor((20 * moment) / 240)) * 240);
        before = read;
      }
    });
  });
}

Deno.test("a count that is told to stop leaves how far it is, on the first way and on later ones", async () => {
  await withFiles({}, async (dir) => {
    const make = COUNTERS.transitions, expected = countHeld(samples, make());
    const stopped = new UserError("stopped by a test");
    for (const moment of [100, 500]) {
      const controller = new AbortController(), lines: string[] = [];
      let added = 0;
      await assert.rejects(
        count({
          dir,
          counter: make(),
          goOn: { signal: controller.signal, log: (line) => lines.push(line) },
          between: () => ++added === moment && controller.abort(stopped),
        }),
        stopped,
      );
      assert.deepEqual(lines, [`Stopped; the same command goes on from ${join(dir, HIDDEN)}`]);
      const { result, read } = await count({ dir, counter: make() });
      assert.deepEqual(result, expected);
      assert.equal(read, moment === 100 ? 150 : 0);
    }
  });
});

Deno.test("the validation of a count that was killed anywhere goes on to the same ranks, and counts nothing again", async () => {
  await withFiles({}, async (dir) => {
    const rankOf = ({ target }: CountedSample) => target % 4 === 0 ? null : target % 10;
    const parts = async function* ({ rows }: { rows: number }) {
      for (let row = rows; row < samples.length; row += PART) {
        yield await Promise.resolve(samples.slice(row, row + PART));
      }
    };
    const validate = async (onPart: () => void) => {
      await using kept = await KeptWork.open<CountState>(join(dir, "run"), "count", [], {
        ...{ of: {}, signal: new AbortController().signal, log: assert.fail, keepEvery: 0 },
      });
      let counted = 0;
      const { result, state } = await countInParts(
        async function* (before) {
          for await (const part of parts(before)) {
            counted++;
            yield part;
          }
        },
        COUNTERS.transitions(),
        kept,
      );
      const watched = async function* (before: { rows: number }) {
        for await (const part of parts(before)) {
          onPart();
          yield part;
        }
      };
      return { result, counted, ranks: await rankInParts(watched, rankOf, kept, state) };
    };
    let moments = 0;
    const whole = await validate(() =>
      cpSync(join(dir, HIDDEN), join(dir, `${moments++}`), { recursive: true })
    );
    assert.deepEqual(whole.ranks, samples.map(rankOf));
    for (let moment = 0; moment < moments; moment++) {
      await Deno.rename(join(dir, `${moment}`), join(dir, HIDDEN));
      let left = 0;
      const again = await validate(() => left++);
      assert.deepEqual(again, { ...whole, counted: 0 });
      assert.equal(left, moments - moment);
    }
  });
});
