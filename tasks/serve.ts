import { z } from "zod";
import { count } from "../base/fields.ts";
import { type Task, UsageError } from "./_cli/cli.ts";
import { MemoryFlags, openLimited } from "./_cli/memory.ts";
import { DeviceFlags } from "./_cli/open_device.ts";
import {
  AskedTask,
  checkReasonDraws,
  ReasonFlags,
  ReasonSeed,
  RunFlags,
  SearchFlags,
  WeightFlags,
} from "./_cli/run_flags.ts";
import { serveApp } from "./_serve/app.ts";
import { JsonLog } from "./_serve/json_log.ts";
import { listen } from "./_serve/listen.ts";
import { Service } from "./_serve/service.ts";
import { LimitFlags, ServerFlags } from "./_serve/settings.ts";

const config = z.strictObject({
  ...RunFlags,
  ...AskedTask,
  ...ReasonFlags,
  ...SearchFlags,
  ...WeightFlags,
  ...ReasonSeed,
  beams: count().default(50).describe(
    "SIDs that a search keeps; more where more items are asked for, or left out",
  ),
  ...ServerFlags,
  ...LimitFlags,
  ...MemoryFlags,
  ...DeviceFlags,
});

/** How long requests are still taken after a signal: those that were sent before it are on their way. */
const GRACE_MS = 500;

export const task: Task<typeof config> = {
  name: "serve",
  summary: "answer requests for recommendations over HTTP",
  examples: [
    "serve --run runs/a",
    "serve --run runs/a --port 8080 --token-file tokens.txt",
  ],
  config,
  isService: true,
  async run(flags, io) {
    checkReasonDraws(flags);
    if (flags.maxUsers > flags.maxQueue) {
      throw new UsageError(
        `Cannot use --max-users ${flags.maxUsers}: more than the ${flags.maxQueue} of --max-queue never find a place`,
      );
    }
    const log = new JsonLog((line) => console.log(line));
    if (flags.tokenFile === "" && !/^(127\.|localhost$|::1$)/.test(flags.host)) {
      log.write("warning", `whoever reaches ${flags.host} may ask: name a --token-file`);
    }
    let service: Service | undefined = undefined;
    const reload = () => void service?.reload().catch(() => {}); // the log has it
    Deno.addSignalListener("SIGHUP", reload);
    service = await Service.open(flags, log, () => openLimited(flags));
    const server = listen(flags, serveApp(service).fetch);
    try {
      await service.load();
      log.write("info", "serving", { url: server.url, run: flags.run });
      if (!io.signal.aborted) {
        await new Promise((stop) => io.signal.addEventListener("abort", stop, { once: true }));
      }
    } finally {
      service.isDraining = true;
      await new Promise((resume) => setTimeout(resume, GRACE_MS));
      service.isClosed = true;
      await server.drain(flags.drain);
      Deno.removeSignalListener("SIGHUP", reload);
    }
    log.write("info", "stopped");
  },
};
