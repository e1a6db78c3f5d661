// A server without a port on the four-item shop: requests are handed over in this process.
import { join } from "node:path";
import { Device } from "../../../kernels/gpu/device.ts";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { serveApp } from "../../../tasks/_serve/app.ts";
import { JsonLog } from "../../../tasks/_serve/json_log.ts";
import { type ServeSettings, Service } from "../../../tasks/_serve/service.ts";
import { task as serve } from "../../../tasks/serve.ts";
import { task as sft } from "../../../tasks/sft.ts";
import { type Files, minionerecFiles } from "../../data/formats/minionerec/fixture.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { TINY_SFT } from "../genrec.ts";

/** A served run. */
export interface ServedRun {
  service: Service;
  /** Events of the log. */
  events: Record<string, unknown>[];
  /** Answer to a request: status, body (JSON where it is some) and headers. */
  ask(
    path: string,
    body?: unknown,
    init?: RequestInit,
  ): Promise<{ status: number; body: Body; headers: Headers }>;
}

/** The tiny run, served. */
export interface TinyService extends ServedRun {
  /** Folder with `data/` and `run/`. */
  dir: string;
}

// deno-lint-ignore no-explicit-any -- what tests look at
type Body = any;

let made: Promise<string> | undefined;
let device: Promise<Device> | undefined;

/** A folder with `data/` and a run of two steps in `run/`, trained once a file of tests. */
export function tinyRun(): Promise<string> {
  return made ??= (async () => {
    const dir = await Deno.makeTempDir();
    addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
    await trainTiny(dir, minionerecFiles());
    return dir;
  })();
}

/** Puts `data/` with these files, and a run of two steps in `run/`, into a folder. */
export async function trainTiny(dir: string, files: Files): Promise<void> {
  await Deno.mkdir(join(dir, "data"));
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(dir, "data", name), text);
  }
  const [, ...words] = TINY_SFT.map((word) => ["data", "run"].includes(word) ? join(dir, word) : word);
  await sft.run(parseArgs(sft, words)!.config, collector().io);
}

/** Serves the tiny run. */
export async function tinyService(settings: Partial<ServeSettings> = {}): Promise<TinyService> {
  const dir = await tinyRun();
  return { dir, ...await served({ run: join(dir, "run"), data: join(dir, "data"), beams: 4, ...settings }) };
}

/** The device of all that is served. */
export function sharedDevice(): Promise<Device> {
  return device ??= Device.open();
}

/** Serves a run. */
export async function served(settings: Partial<ServeSettings>, open = sharedDevice): Promise<ServedRun> {
  const events: Record<string, unknown>[] = [];
  const service = await Service.open(
    serve.config.parse(settings),
    new JsonLog((line) => events.push(JSON.parse(line))),
    open,
  );
  await service.load();
  const app = serveApp(service);
  const ask: ServedRun["ask"] = async (path, body, init = {}) => {
    const response = await app.fetch(
      new Request(`http://genrec${path}`, {
        ...body !== undefined && {
          method: "POST",
          body: typeof body === "string" ? body : JSON.stringify(body),
        },
        ...init,
        headers: { ...body !== undefined && { "Content-Type": "application/json" }, ...init.headers },
      }),
    );
    const text = await response.text();
    const isJson = response.headers.get("Content-Type")?.includes("json");
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  };
  return { service, events, ask };
}
