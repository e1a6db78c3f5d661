import { writeAtomic } from "../../base/files/write_atomic.ts";
import type { MetricsObserver, ObserverContext } from "./observer.ts";
import { join } from "./protobuf.ts";
import { WandbClient, type WandbService } from "./wandb_client.ts";
import { WandbFile } from "./wandb_file.ts";
import { WandbHistory, type WandbLine, wandbRun } from "./wandb_run.ts";

/** Settings of the observer that tests change. */
export interface WandbOptions extends Partial<WandbService> {
  /** online, offline or disabled. Default: `WANDB_MODE`. */
  mode?: string;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/**
 * Sends metrics to Weights & Biases, or with `WANDB_MODE=offline` writes them into a folder of the run for `wandb sync`.
 * Reads `WANDB_API_KEY`, `WANDB_PROJECT`, `WANDB_ENTITY` and `WANDB_BASE_URL`. A resumed run goes on as the one that it
 * was, by the id in its directory, and what was logged before is told again. Training never waits for the service.
 */
export async function openWandb(
  context: ObserverContext,
  options: WandbOptions = {},
): Promise<MetricsObserver> {
  const { mode = Deno.env.get("WANDB_MODE") || "online", now = Date.now } = options;
  // WANDB_MODE=dryrun is what offline was called before.
  if (mode === "offline" || mode === "dryrun") return await openOffline(context, now);
  if (mode === "disabled") return { log() {}, close() {} };
  if (mode !== "online") throw new Error(`WANDB_MODE is ${mode}, expected online, offline or disabled`);
  const apiKey = options.apiKey ?? Deno.env.get("WANDB_API_KEY") ?? "";
  if (apiKey === "") {
    throw new Error("there is no API key. Set WANDB_API_KEY, or WANDB_MODE=offline, which needs none");
  }
  const { tell, standing } = context;
  const run = await wandbRun(context, now);
  const history = new WandbHistory(run);
  const client = new WandbClient(
    run,
    { ...options, apiKey },
    (url) => tell(`Metrics go to ${url}`),
    (reason) => tell(`No metrics to wandb: ${reason}`),
  );
  const send = (lines: WandbLine[]) => lines.forEach((line) => client.send(line));
  for (const line of standing) send(history.add(line));
  return {
    log: (step, values) => send(history.add({ step, values }, now() / 1000)),
    async close() {
      send(history.end());
      await client.finish();
    },
  };
}

/** One folder a run over all resumptions, written anew with what stands of the log, then line by line. */
async function openOffline(context: ObserverContext, now: () => number): Promise<MetricsObserver> {
  const { directory, standing, tell } = context;
  const run = await wandbRun(context, now);
  const history = new WandbHistory(run);
  const file = new WandbFile();
  // 20260131_235959, as W&B names its folders.
  const [date, time] = new Date(1000 * run.startedAt).toISOString().replace(/[-:]/g, "").split(/[T.]/);
  const folder = `${directory}/wandb/offline-run-${date}_${time}-${run.id}`;
  const path = `${folder}/run-${run.id}.wandb`;
  await Deno.mkdir(`${folder}/files`, { recursive: true }); // where `wandb sync` writes
  // What it has sent already, it would not send again.
  for await (const { name } of Deno.readDir(folder)) {
    if (/\.sync(ed|state)$/.test(name)) await Deno.remove(`${folder}/${name}`);
  }
  const framed = (lines: WandbLine[]) => lines.map((line) => file.line(line));
  const start = file.start(run);
  const before = standing.flatMap((line) => framed(history.add(line)));
  await writeAtomic(path, join([start, ...before]));
  const append = (parts: Uint8Array[]) => Deno.writeFile(path, join(parts), { append: true, create: false });
  return {
    log: (step, values) => append(framed(history.add({ step, values }, now() / 1000))),
    async close() {
      await append([...framed(history.end()), file.end(history.seconds)]);
      tell(`Metrics for W&B are in ${folder}. Send them with: wandb sync ${folder}`);
    },
  };
}
