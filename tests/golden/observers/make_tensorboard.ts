/**
 * Writes the two event files of a run and of its resumption into tensorboard/:
 * `deno run -A make_tensorboard.ts`, in this folder. make_tensorboard.py reads them.
 */
import { eventRecord } from "../../../train/observers/event_file.ts";
import { tensorboardRun } from "./tensorboard_run.ts";

for (const [name, events] of Object.entries(tensorboardRun)) {
  await Deno.writeFile(`tensorboard/${name}`, await new Blob(events.map(eventRecord)).bytes());
}
