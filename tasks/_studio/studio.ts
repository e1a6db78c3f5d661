import { z } from "zod";
import type { Task } from "../_cli/cli.ts";
import { DeviceFlags, openDevice } from "../_cli/open_device.ts";
import { RunFlags } from "../_cli/run_flags.ts";
import { listen } from "../_serve/listen.ts";
import { ServerFlags } from "../_serve/settings.ts";
import { studioApp } from "./app.ts";
import { openedRuns } from "./opened_runs.ts";
import { Studio } from "./show.ts";

/** Seconds that answers get to end. */
const DRAIN = 2;

const config = z.strictObject({
  runs: z.array(z.string()).min(1, "name at least one run").describe(
    "run directories of any task that trains, or folders of such",
  ).meta({ positional: true }),
  evals: z.array(z.string()).default([]).describe(
    "folders of evaluations that lie elsewhere; those in the runs are found",
  ),
  data: RunFlags.data,
  host: ServerFlags.host,
  port: ServerFlags.port,
  ...DeviceFlags,
});

export const task: Task<typeof config> = {
  name: "studio",
  summary: "a page of runs side by side, while they train and after",
  examples: ["studio runs/a runs/b", "studio runs", "studio runs/a --evals eval/a --port 8080"],
  config,
  isService: true,
  async run({ runs, evals, data, host, port, ...flags }, io) {
    let device: ReturnType<typeof openDevice> | undefined;
    const opened = openedRuns(data, async () => (await (device ??= openDevice(flags))).device);
    const studio = await Studio.open(runs, evals, opened.use);
    const server = listen({ host, port }, studioApp(studio, (line) => console.error(line)).fetch);
    try {
      if (io.json) console.log(JSON.stringify({ url: `${server.url}/studio`, runs: studio.runs.length }));
      io.log(`${studio.runs.length} runs at ${server.url}/studio. Ctrl-C ends it`);
      if (!io.signal.aborted) {
        await new Promise((stop) => io.signal.addEventListener("abort", stop, { once: true }));
      }
    } finally {
      await server.drain(DRAIN);
      opened.destroy();
    }
  },
};
