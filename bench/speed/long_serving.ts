/**
 * What stays of `genrec serve` after many requests: wrong items among all that were recommended, requests without an
 * answer, and the memory of the process. Requests are sent in parts; after each the figures are printed and, with `--kept`,
 * added to a file, so that the work may be cut: Ctrl-C ends it after the part, and the same command goes on where the
 * file ends, as long as the same server runs.
 *
 *     deno run -A bench/speed/long_serving.ts --run RUN [--url URL] [--data DIR] [--answers 1000000] [--part 50000]
 *         [--connections 16] [--minutes 0] [--kept FILE] [--out docs/benchmarks]
 *
 * `--url` is a server of that run that is there already, as calls that go on want; without it one is started. `--minutes`
 * ends after the part in which they pass. 1,000,000 items are 100,000 requests, a quarter of an hour and more.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { openRun } from "../../train/runs/open_run.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { residentBytesOf, startedAt, startServer } from "./server_process.ts";
import { sendTraffic } from "./traffic.ts";

const TOP = 10, BEAMS = 50;

const { values } = parseArgs({
  options: {
    run: { type: "string", default: "" },
    url: { type: "string", default: "" },
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`,
    },
    answers: { type: "string", default: "1000000" },
    part: { type: "string", default: "50000" },
    connections: { type: "string", default: "16" },
    minutes: { type: "string", default: "0" },
    kept: { type: "string", default: "" },
    out: { type: "string", default: "" },
  },
});

/** What was asked of one server so far. */
interface Kept {
  /** When it started, in seconds of the epoch: another one has other memory. */
  server: number;
  /** Bytes before the first request. */
  memory: number;
  parts: {
    requests: number;
    items: number;
    wrongItems: number;
    failed: number;
    seconds: number;
    memory: number;
  }[];
}

if (values.run === "") {
  console.error("Name a trained run with --run");
  Deno.exit(2);
}
const [answers, part, connections, minutes] = [
  values.answers,
  values.part,
  values.connections,
  values.minutes,
]
  .map(Number);
const { dataset } = await openRun(values.run, { data: values.data });
const histories = dataset.samples.test.map(({ history }) => history);
const server = values.url === ""
  ? await startServer(["--run", values.run, "--data", values.data, "--beams", String(BEAMS)])
  : undefined;
const url = server?.url ?? values.url;
const kept = await keptParts();
const total = (of: "requests" | "items" | "wrongItems" | "failed" | "seconds") =>
  kept.parts.reduce((sum, one) => sum + one[of], 0);
const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

let isEnding = false;
Deno.addSignalListener("SIGINT", () => isEnding = true);
const start = performance.now();
const isLate = () => minutes > 0 && performance.now() - start > 60_000 * minutes;
while (total("items") < answers && !isEnding && !isLate()) {
  const begun = performance.now();
  const first = total("requests") % histories.length;
  const { requests, items, wrongItems, failed } = await sendTraffic(
    {
      url,
      histories: [...histories.slice(first), ...histories.slice(0, first)],
      top: TOP,
      items: dataset.items.length,
    },
    { connections, requests: Math.ceil(Math.min(part, answers - total("items")) / TOP) },
  );
  const seconds = (performance.now() - begun) / 1000;
  kept.parts.push({ requests, items, wrongItems, failed, seconds, memory: await residentBytesOf(url) });
  if (values.kept !== "") await writeAtomic(values.kept, JSON.stringify(kept, null, 1) + "\n");
  console.error(
    `${total("requests")} requests, ${total("items")} items, ${total("wrongItems")} wrong, ${
      total("failed")
    } failed, ` +
      `${mebibytes(kept.parts.at(-1)!.memory)}, ${(requests / seconds).toFixed(1)} users/s`,
  );
  if (requests === 0) {
    console.error(`No answer from ${url}: expected a server of ${values.run}`);
    Deno.exit(1);
  }
}
await server?.[Symbol.asyncDispose]();

const table = textTable(
  ["run", "requests", "items", "wrong items", "failed", "users/s", "memory before, after a tenth, half, all"],
  [[
    basename(values.run),
    ...(["requests", "items", "wrongItems", "failed"] as const).map((of) => String(total(of))),
    (total("requests") / total("seconds")).toFixed(1),
    [kept.memory, ...[.1, .5, 1].map(memoryAfter)].map(mebibytes).join(", "),
  ]],
);
console.log(tableText(table));
await writeOut(values.out, "industrial", {
  "long-serving": {
    command: [commandLine("bench/speed/long_serving.ts")],
    ...await conditionsNow((await Device.open()).info.description),
    tables: [table],
    raw: [kept],
  },
});
Deno.exit(total("wrongItems") + total("failed") === 0 ? 0 : 1);

/** Bytes after the part in which this share of the requests was answered. */
function memoryAfter(share: number): number {
  let left = share * total("requests");
  return kept.parts.find(({ requests }) => (left -= requests) <= 0)?.memory ?? kept.memory;
}

/** What was kept of this server, or nothing yet. */
async function keptParts(): Promise<Kept> {
  const now = await startedAt(url);
  const text = values.kept === "" ? "" : await Deno.readTextFile(values.kept).catch(() => "");
  if (text === "") return { server: now, memory: await residentBytesOf(url), parts: [] };
  const before: Kept = JSON.parse(text);
  if (before.server === now) return before;
  console.error(
    `Cannot go on with ${values.kept}: it is of another server than ${url}. Name the one that it is of with --url, or ` +
      "another file",
  );
  await server?.[Symbol.asyncDispose]();
  Deno.exit(1);
}
