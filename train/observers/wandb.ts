import { basename } from "node:path";
import type { MetricsObserver, ObserverContext } from "./observer.ts";
import source from "./wandb_worker.js" with { type: "text" };

// Not in the import map, since Deno fetches all of the map at the first start of any command.
const LIBRARY = "npm:@wandb/sdk@0.5.1";

/** Settings of the observer that tests change. */
export interface WandbOptions {
  /** Module to load the SDK from. */
  library?: string;
  /** Its key; without one nothing is sent. Default: `WANDB_API_KEY`. */
  apiKey?: string;
  /** Milliseconds that `close()` waits for what is still on its way. */
  patience?: number;
}

type Reply = { url: string } | { finished: true } | { failed: string };

/**
 * Sends metrics to Weights & Biases by its JavaScript SDK, fetched when first asked for. Reads `WANDB_API_KEY`,
 * `WANDB_PROJECT`, `WANDB_ENTITY` and `WANDB_BASE_URL`. Training never waits for it, and a failure is a warning. The SDK
 * cannot continue a run, so the parts of a resumed one are runs of their own.
 */
export function openWandb(
  { directory, name, config, firstStep, warn }: ObserverContext,
  { library = LIBRARY, apiKey = Deno.env.get("WANDB_API_KEY") ?? "", patience = 15000 }: WandbOptions = {},
): MetricsObserver {
  if (apiKey === "") throw new Error("there is no API key. Set WANDB_API_KEY");
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), {
    type: "module",
    name: "wandb",
  });
  let failed = false;
  let finished = () => {};
  const done = new Promise<void>((resolve) => finished = resolve);
  const fail = (reason: string) => {
    if (!failed) warn(`No metrics to wandb: ${reason}`);
    failed = true;
    worker.terminate();
    finished();
  };
  worker.onmessage = ({ data }: MessageEvent<Reply>) => {
    if ("failed" in data) fail(data.failed);
    if ("finished" in data) finished();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(event.message);
  };
  const part = firstStep > 0 ? ` from step ${firstStep}` : "";
  worker.postMessage({
    library,
    options: {
      project: Deno.env.get("WANDB_PROJECT") ?? "genrec",
      entity: Deno.env.get("WANDB_ENTITY"),
      name: `${name || basename(directory)}${part}`,
      config,
      settings: { apiKey, silent: true },
    },
  });
  return {
    log(step, values) {
      if (!failed) worker.postMessage({ step, values });
    },
    async close() {
      if (failed) return;
      worker.postMessage({ finish: true });
      const timer = setTimeout(() => fail(`it did not answer for ${patience / 1000} s`), patience);
      await done;
      clearTimeout(timer);
      worker.terminate();
    },
  };
}
