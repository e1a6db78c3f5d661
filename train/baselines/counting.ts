import { GrowingColumn, type PartsBefore } from "../../data/corpus_stream.ts";
import { AppendedFile } from "../../data/kept/appended.ts";
import { KeptWork, type WorkState } from "../../data/kept/work.ts";
import type { CountedSample, SampleCounter } from "../../eval/transition_counts.ts";
import type { CountGoOn } from "./method.ts";
import { ReplayedSamples } from "./replayed_samples.ts";

/** How far a count is. */
export interface CountState {
  /** Ways through the samples that are done. */
  ways: number;
  isCounted: boolean;
  /** What the first way has gone through. */
  before: PartsBefore;
  /** Of the counter. */
  counter: unknown;
  /** What of the valid split was ranked by the counts. */
  ranked?: PartsBefore;
}

/** What a count of samples in parts found. */
interface CountedParts<T> {
  result: T;
  samples: number;
  /** All of it, as it is kept. */
  state(): WorkState<CountState>;
}

/** What samples are kept as. */
const SAMPLES = "samples";
const RANKS = "ranks";

/** How far a count is, beside its run, and what is there of one that was stopped. */
export async function openCount(
  run: string,
  { files, of, log }: CountGoOn,
  signal: AbortSignal,
): Promise<KeptWork<CountState>> {
  const kept = await KeptWork.open<CountState>(run, "count", files, { of, signal, log });
  const { ways, before, ranked } = kept.found ?? {};
  const number = (count: number) => count.toLocaleString("en");
  if (ranked) log(`Goes on behind ${number(ranked.rows)} rows of valid, which were ranked by the counts`);
  else if (ways === 0) log(`Goes on behind ${number(before!.rows)} rows of train, which were counted`);
  else if (ways) log(`Goes on behind ${ways} ${ways === 1 ? "way" : "ways"} through train`);
  return kept;
}

/** Counts samples that come in parts, from where it was stopped: within the first way, and between two of the others. */
export async function countInParts<T>(
  parts: (before: PartsBefore) => AsyncIterable<readonly CountedSample[]>,
  counter: SampleCounter<T>,
  kept?: KeptWork<CountState>,
): Promise<CountedParts<T>> {
  const found = kept?.found;
  let { ways, isCounted, before } = found ??
    { ways: 0, isCounted: false, before: { parts: 0, rows: 0 } };
  if (found) await counter.goOn(found.counter, kept!);
  using file = kept?.has(SAMPLES) ? await kept.file(SAMPLES, SAMPLES) : new AppendedFile(SAMPLES);
  const replayed = counter.goesAgain ? new ReplayedSamples(file) : undefined;
  const state = async () => {
    await replayed?.flush();
    const { values, grown } = counter.state();
    return {
      values: { ways, isCounted, before, counter: values },
      grown: { ...grown, ...(replayed && { [SAMPLES]: file }) },
    };
  };
  while (!isCounted) {
    if (ways === 0) {
      for await (const part of parts(before)) {
        for (const sample of part) counter.add(sample);
        await replayed?.add(part);
        before = { parts: before.parts + 1, rows: before.rows + part.length };
        await kept?.passed(state);
      }
      await replayed?.flush();
    } else {
      for await (const part of replayed!.samples()) {
        for (const sample of part) counter.add(sample);
        await kept?.passed();
      }
    }
    isCounted = !counter.endWay();
    ways++;
    await kept?.passed(state);
  }
  const counted = () => {
    const { values, grown } = counter.state();
    return { values: { ways, isCounted, before, counter: values }, grown };
  };
  return { result: counter.result(), samples: before.rows, state: counted };
}

/** What a rank is kept as where the target is not among the first. */
const NONE = -1;

/** The rank of each sample of parts, from where it was stopped; `counted` is kept beside them. */
export async function rankInParts(
  parts: (before: PartsBefore) => AsyncIterable<readonly CountedSample[]>,
  rankOf: (sample: CountedSample) => number | null,
  kept?: KeptWork<CountState>,
  counted?: () => WorkState<CountState>,
): Promise<(number | null)[]> {
  const ranks = new GrowingColumn<Int32Array>((length) => new Int32Array(length));
  let ranked = kept?.found?.ranked ?? { parts: 0, rows: 0 };
  if (kept?.has(RANKS)) await kept.column(RANKS, Int32Array, (length) => ranks.room(length));
  for await (const part of parts(ranked)) {
    ranks.set(Int32Array.from(part, (sample) => rankOf(sample) ?? NONE), ranked.rows);
    ranked = { parts: ranked.parts + 1, rows: ranked.rows + part.length };
    await kept?.passed(
      counted && (() => {
        const { values, grown } = counted();
        return { values: { ...values, ranked }, grown: { ...grown, [RANKS]: ranks.first(ranked.rows) } };
      }),
    );
  }
  return Array.from(ranks.first(ranked.rows), (rank) => rank === NONE ? null : rank);
}
