import { hostname } from "node:os";
import { eventRecord, type ScalarEvent } from "./event_file.ts";
import type { MetricsObserver, ObserverContext } from "./observer.ts";

/** Folder of a run that `tensorboard --logdir` reads. */
export const TENSORBOARD_FOLDER = "tensorboard";

/**
 * Writes TensorBoard event files into `tensorboard/` of the run. A resumed run writes a file of its own, which tells
 * readers that steps after `firstStep` of the earlier ones are void. Each line is in the file when `log()` is done.
 */
export async function openTensorboard(
  { directory, firstStep }: Pick<ObserverContext, "directory" | "firstStep">,
  now: () => number = Date.now,
): Promise<MetricsObserver> {
  const folder = `${directory}/${TENSORBOARD_FOLDER}`;
  await Deno.mkdir(folder, { recursive: true });
  const path = `${folder}/${await fileName(folder, now())}`;
  const append = async (events: Omit<ScalarEvent, "wallTime">[]) => {
    const records = events.map((event) => eventRecord({ wallTime: now() / 1000, ...event }));
    await Deno.writeFile(path, new Uint8Array(await new Blob(records).arrayBuffer()), { append: true });
  };
  const start = firstStep > 0 ? [{ step: firstStep + 1, sessionStart: true }] : [];
  await append([{ fileVersion: "brain.Event:2" }, ...start]);
  return {
    log: (step, values) => append([{ step, values }]),
    close() {},
  };
}

// Readers take the files of a folder in the order of their names, hence later ones get a later time.
async function fileName(folder: string, milliseconds: number): Promise<string> {
  let seconds = Math.floor(milliseconds / 1000);
  for await (const { name } of Deno.readDir(folder)) {
    const written = /^events\.out\.tfevents\.(\d+)\./.exec(name);
    if (written) seconds = Math.max(seconds, Number(written[1]) + 1);
  }
  return `events.out.tfevents.${seconds}.${hostname()}.${Deno.pid}`;
}
