import { errorOf } from "../kernels/check.ts";
import { type Contender, costPerRun, NotSupported, type Runner } from "../kernels/contender.ts";
import type { BenchWorkload } from "../kernels/workload.ts";
import type { Cost } from "./cost.ts";

/** What the benchmark asks of a contender's process, a JSON line each on its standard input. */
export type Request = { op: "open"; workload: BenchWorkload } | { op: "time"; budget: number } | {
  op: "memory";
};

/** Its answers, on lines of standard output that start with {@link MARK}: libraries print there too. */
export type ContenderAnswer =
  | { error: number }
  | RunCost
  | Memory
  | { notSupported: string }
  | { failed: string };

/** Of one run. */
export type RunCost = Pick<Cost, "milliseconds"> & Partial<Cost>;

export interface Memory {
  /** Bytes, the highest so far where the system tells. */
  residentBytes: number;
  deviceBytes?: number;
}

const MARK = "bench:";

/** Answers the requests about one workload; ends with its input. */
export async function serve(contender: Contender): Promise<void> {
  let runner: Runner | undefined;
  const answer = async (request: Request): Promise<ContenderAnswer> => {
    if (request.op === "open") {
      runner = await contender.open(request.workload);
      return { error: errorOf(request.workload, await runner.outputs()) };
    }
    if (!runner) throw new Error(`${request.op} before open`);
    if (request.op === "memory") return memoryOf(runner);
    return await costPerRun((times) => runner!.run(times), { budget: request.budget });
  };
  for await (const line of linesOf(Deno.stdin.readable)) {
    let result: ContenderAnswer;
    try {
      result = await answer(JSON.parse(line));
    } catch (error) {
      const message = (error as Error).message.trim().split("\n").slice(0, 2).join(" ");
      result = error instanceof NotSupported ? { notSupported: message } : { failed: message };
    }
    console.log(MARK + JSON.stringify(result));
  }
  // Exits without destroying devices, which may crash with work in flight.
  Deno.exit(0);
}

/** Answers among the lines that a serving process prints. */
export async function* answersOf<T>(stdout: ReadableStream<Uint8Array>): AsyncGenerator<T, undefined> {
  for await (const line of linesOf(stdout)) {
    if (line.startsWith(MARK)) yield JSON.parse(line.slice(MARK.length));
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let buffered = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    buffered += text;
    const lines = buffered.split("\n");
    buffered = lines.pop()!;
    yield* lines;
  }
}

export function memoryOf(runner: Runner): Memory {
  return {
    residentBytes: runner.residentBytes?.() ?? highestResident(),
    deviceBytes: runner.deviceBytes?.(),
  };
}

function highestResident(): number {
  try {
    const kibibytes = Deno.readTextFileSync("/proc/self/status").match(/VmHWM:\s*(\d+) kB/);
    if (kibibytes) return Number(kibibytes[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return Deno.memoryUsage().rss;
}
