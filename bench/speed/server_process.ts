import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A process of `genrec serve`. */
export interface ServerProcess {
  url: string;
  process: Deno.ChildProcess;
  /** Lines of its log so far, but for requests. */
  events: Record<string, unknown>[];
  /** Resident bytes, as it tells. */
  memory(): Promise<number>;
  /** Waits until it is gone. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Resident bytes of the server at this address, as it tells. */
export function residentBytesOf(url: string): Promise<number> {
  return metricOf(url, "process_resident_memory_bytes");
}

/** When the server at this address started, in seconds of the epoch. */
export function startedAt(url: string): Promise<number> {
  return metricOf(url, "process_start_time_seconds");
}

async function metricOf(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)![1]);
}

/** Starts `genrec serve` with these flags on a free port, and waits until it answers. Throws where it ends instead. */
export async function startServer(flags: readonly string[]): Promise<ServerProcess> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      `${ROOT}tasks/main.ts`,
      "serve",
      "--port",
      "0",
      "--no-log-requests",
      ...flags,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const events: Record<string, unknown>[] = [];
  const serving = Promise.withResolvers<string>();
  (async () => {
    let rest = "";
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const event = JSON.parse(line);
        events.push(event);
        if (event.message === "serving") serving.resolve(event.url);
      }
    }
    serving.reject(new Error(`genrec serve ended: ${JSON.stringify(events)}`));
  })().catch(serving.reject);
  const url = await serving.promise;
  return {
    url,
    process,
    events,
    memory: () => residentBytesOf(url),
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGTERM");
      } catch {
        // It has ended.
      }
      await process.status;
    },
  };
}
