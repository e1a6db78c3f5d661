// Checks a dataset folder, with a line a row group, behind each of which the check is kept: for a test that kills it.
import { checkWatched } from "../../../data/check/check.ts";
import { findFormat } from "../../../data/formats/load.ts";

/** The report of a check of `dir` that is kept behind every part. */
export async function checkKept(dir: string, log: (line: string) => void, eachPart: () => void = () => {}) {
  async function* told<P>(parts: AsyncIterable<P>) {
    for await (const part of parts) {
      yield part;
      eachPart();
    }
  }
  return await checkWatched(await findFormat(dir), dir, {
    watched: (stream) => ({
      ...stream,
      interactions: (before) => told(stream.interactions(before)),
      samples: (split, before) => told(stream.samples(split, before)),
    }),
    of: {},
    signal: new AbortController().signal,
    log,
    keepEvery: 0,
  });
}

if (import.meta.main) await checkKept(Deno.args[0], console.error, () => console.log("a part"));
