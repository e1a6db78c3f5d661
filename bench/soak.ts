/**
 * Makes life hard for `genrec serve` and looks at every answer: clients that ask well, that ask nonsense, that send their
 * requests drop by drop, that hang up before the answer; and reloads, ends and kills of the process, which is started
 * again as a service manager does. Nothing may come but good answers and clean errors, and after SIGTERM whoever was
 * let in is answered.
 *
 *     deno run -A bench/soak.ts --run RUN [--data DIR] [--seconds 600]
 */
import { parseArgs } from "node:util";
import { PhiloxStream } from "../base/philox.ts";
import { type ServerProcess, startServer } from "./speed/server_process.ts";

/** What happened. */
export interface Soak {
  /** Answers by client and status; "hung up" where the server was gone. */
  answers: Record<string, number>;
  /** Answers that are none of those that may come, and whatever else went wrong. */
  faults: string[];
  kills: number;
  ends: number;
  reloads: number;
  /** Resident bytes when a server was first ready and when it last was asked. */
  memory: [first: number, last: number];
}

/** How long, of which run. */
export interface SoakOptions {
  run: string;
  data: string;
  seconds: number;
  seed?: number;
}

const DEADLINE = 2;
const NONSENSE = [
  "",
  "{",
  "null",
  "[]",
  '{"history": []}',
  '{"history": [1], "top": 1e9}',
  '{"history": "<script>alert(1)</script>"}',
  '{"history": [99999999]}',
  `{"history": [${"[".repeat(5000)}`,
  `{"history": [${Array(20_000).fill(1)}]}`,
  `{"titles": ["${"x".repeat(2 << 20)}"]}`,
];
/** What may come of a request that is wrong; with a full queue and a server that ends also these. */
const REFUSALS = [400, 404, 405, 408, 413, 415, 422], BUSY = [429, 503, 504];

/** Runs all of it. */
export async function soak({ run, data, seconds, seed = 42 }: SoakOptions): Promise<Soak> {
  const random = new PhiloxStream(seed, "soak");
  const below = (n: number) => random.below(n);
  const port = freePort();
  const flags = ["--run", run, "--data", data, "--port", String(port)];
  flags.push(..."--deadline 2 --drain 5 --max-queue 16 --max-users 8 --max-batch 8".split(" "));
  const result: Soak = { answers: {}, faults: [], kills: 0, ends: 0, reloads: 0, memory: [0, 0] };
  const note = (client: string, status: number | "hung up") => {
    const key = `${client}: ${status}`;
    result.answers[key] = (result.answers[key] ?? 0) + 1;
  };
  /** What the logs tell of that the server is to blame for. */
  const blamed = ({ events }: ServerProcess) =>
    events.filter(({ message }) => message === "cannot answer").map((event) =>
      `log: ${JSON.stringify(event)}`
    );
  let server = await startServer(flags);
  result.memory[0] = await server.memory();
  const url = `http://127.0.0.1:${port}`;
  const end = performance.now() + 1000 * seconds;
  const isOver = () => performance.now() >= end;
  /** Until when the server may be gone. */
  let isGone = false;

  const ask = async (client: string, body: string, allowed: readonly number[], signal?: AbortSignal) => {
    const wasGone = isGone;
    try {
      const response = await fetch(`${url}/recommend`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body,
        signal,
      });
      const text = await response.text();
      note(client, response.status);
      const isClean = allowed.includes(response.status) && !/\bat .{0,200}\.ts:\d+|file:\/\//.test(text) &&
        typeof JSON.parse(text) === "object";
      if (!isClean) {
        result.faults.push(`${client}: ${response.status} ${text.slice(0, 200)} for ${body.slice(0, 80)}`);
      }
    } catch (error) {
      note(client, "hung up");
      // Of a body that is refused before it was read the client may see the end of the connection alone.
      const mayHangUp = signal?.aborted || wasGone || isGone || body.length > 1 << 20;
      if (!mayHangUp) result.faults.push(`${client}: ${error}`);
      await pause(20);
    }
  };
  const good = async () => {
    while (!isOver()) {
      const history = Array.from({ length: 1 + below(4) }, () => below(4));
      const wanted =
        [{}, { excludeSeen: true, top: 2 }, { deny: [below(4)] }, { allow: [0, 1, 2] }][below(4)];
      const users = Array.from({ length: 1 + below(3) }, () => ({ history }));
      await ask("good", JSON.stringify(below(2) ? { history, ...wanted } : { users, ...wanted }), [
        200,
        422,
        ...BUSY,
      ]);
    }
  };
  const bad = async () => {
    while (!isOver()) await ask("nonsense", NONSENSE[below(NONSENSE.length)], [...REFUSALS, ...BUSY]);
  };
  const hasty = async () => {
    while (!isOver()) {
      const signal = AbortSignal.timeout(1 + below(30));
      await ask("hasty", '{"history": [1, 2]}', [200, ...BUSY], signal);
    }
  };
  const slow = async () => {
    while (!isOver()) {
      const before = server;
      const mayGo = () => isGone || server !== before || isOver();
      await dripped(port, below(2) === 0, note, result.faults, mayGo);
    }
  };
  const trouble = async () => {
    for (let turn = 0; !isOver(); turn++) {
      await pause(1000 + below(2000));
      if (isOver()) break;
      const what = ["reload", "end", "kill"][turn % 3];
      if (what === "reload") {
        server.process.kill("SIGHUP");
        result.reloads++;
        continue;
      }
      isGone = true;
      if (what === "kill") {
        server.process.kill("SIGKILL");
        result.kills++;
      } else {
        result.faults.push(...await endWell(server, url));
        result.ends++;
      }
      await server.process.status;
      result.faults.push(...blamed(server));
      server = await startServer(flags);
      isGone = false;
    }
  };
  try {
    await Promise.all([good(), good(), good(), bad(), hasty(), slow(), slow(), slow(), trouble()]);
    result.faults.push(...blamed(server));
    result.memory[1] = await server.memory();
    const ready = await fetch(`${url}/readyz`);
    if (ready.status !== 200) result.faults.push(`not ready at the end: ${await ready.text()}`);
    else await ready.body?.cancel();
  } finally {
    await server[Symbol.asyncDispose]();
  }
  return result;
}

/** SIGTERM while some ask: all that were let in are answered, and the process ends with 0. */
async function endWell({ process }: ServerProcess, url: string): Promise<string[]> {
  const asked = Array.from({ length: 6 }, () =>
    fetch(`${url}/recommend`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: '{"history": [1]}',
    }).then(async (response) => [response.status, await response.text()] as const));
  // Let in when the first is answered: they came with it.
  const first = await Promise.race(asked).catch(() => undefined);
  process.kill("SIGTERM");
  const answers = await Promise.allSettled(asked);
  const faults = answers.flatMap((one) =>
    one.status === "rejected"
      ? [`asked before SIGTERM and not answered: ${one.reason}`]
      : [200, 429, 503, 504].includes(one.value[0])
      ? []
      : [`asked before SIGTERM: ${one.value}`]
  );
  const { code } = await process.status;
  return first === undefined ? [] : [...faults, ...code === 0 ? [] : [`ended with ${code} after SIGTERM`]];
}

/** A request that arrives a few bytes at a time, its body or its head never whole. */
async function dripped(
  port: number,
  isHeadWhole: boolean,
  note: (client: string, status: number | "hung up") => void,
  faults: string[],
  mayGo: () => boolean,
): Promise<void> {
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: "127.0.0.1", port });
  } catch {
    return await pause(50);
  }
  const head =
    "POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n";
  const start = isHeadWhole ? `${head}\r\n{"history"` : head;
  try {
    for (const part of start.match(/[\s\S]{1,40}/g)!) {
      await connection.write(new TextEncoder().encode(part));
      await pause(5);
    }
    const buffer = new Uint8Array(4096);
    const patience = 1000 * (DEADLINE + 3);
    const answer = await Promise.race([
      connection.read(buffer),
      pause(isHeadWhole ? patience : 500).then(() => 0),
    ]);
    if (answer === 0 || answer === null) {
      note("slow", "hung up");
      if (isHeadWhole && answer === 0 && !mayGo()) {
        faults.push("slow: no answer to a body that does not come");
      }
      return;
    }
    const [, status] = /^HTTP\/1\.1 (\d+)/.exec(new TextDecoder().decode(buffer.subarray(0, answer))) ?? [];
    note("slow", Number(status));
    if (!["408", "503"].includes(status)) faults.push(`slow: ${status}`);
  } catch {
    note("slow", "hung up");
  } finally {
    connection.close();
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}

if (import.meta.main) {
  const { values: { run, data, seconds } } = parseArgs({
    options: {
      run: { type: "string", default: "" },
      data: { type: "string", default: "" },
      seconds: { type: "string", default: "600" },
    },
  });
  if (run === "") {
    console.error("Name a trained run with --run");
    Deno.exit(2);
  }
  const { answers, faults, memory, ...counts } = await soak({ run, data, seconds: Number(seconds) });
  console.log(Object.entries(answers).sort().map(([key, count]) => `${key}: ${count}`).join("\n"));
  console.log(JSON.stringify({ ...counts, MiB: memory.map((bytes) => Math.round(bytes / 2 ** 20)) }));
  console.log(`${faults.length} faults`);
  faults.slice(0, 10).forEach((fault) => console.log(fault));
  Deno.exit(faults.length === 0 ? 0 : 1);
}
