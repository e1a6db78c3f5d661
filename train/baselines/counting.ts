import type { PartsBefore } from "../../data/corpus_stream.ts";
import { AppendedFile } from "../../data/kept/appended.ts";
import { KeptWork } from "../../data/kept/work.ts";
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
}

/** What a count of samples in parts found. */
interface CountedParts<T> {
  result: T;
  samples: number;
}

/** What samples are kept as. */
const SAMPLES = "samples";

/** How far a count is, beside its run, and what is there of one that was stopped. */
export async function openCount(
  run: string,
  { files, of, log }: CountGoOn,
  signal: AbortSignal,
): Promise<KeptWork<CountState>> {
  const kept = await KeptWork.open<CountState>(run, "count", files, { of, signal, log });
  const { ways, before } = kept.found ?? {};
  if (ways === 0) {
    log(`Goes on behind ${before!.rows.toLocaleString("en")} rows of train, which were counted`);
  } else if (ways) log(`Goes on behind ${ways} ${ways === 1 ? "way" : "ways"} through train`);
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
  return { result: counter.result(), samples: before.rows };
}
