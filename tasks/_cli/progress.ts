// @ts-types="@types/cli-progress"
import cliProgress from "cli-progress";
import type { CorpusStream, PartsBefore } from "../../data/corpus_stream.ts";

/** Progress of one piece of work: a bar on a terminal, a line every few seconds elsewhere. */
export interface Progress {
  /** `done` units of the total are finished; `note` is shown behind the figures, such as `loss 2.31`. */
  update(done: number, note?: string): void;
  /** Ends the bar; further updates are ignored. */
  stop(): void;
}

/** Where progress is written: `Deno.stderr` or a test's collector. */
export interface ProgressOutput {
  isTerminal: boolean;
  write(text: string): void;
  /** Milliseconds, monotonic. */
  now(): number;
}

const LINE_EVERY_MS = 5000;

/** A bar on a terminal, elsewhere a line every five seconds. */
export function startProgress(total: number, label: string, output: ProgressOutput): Progress {
  return output.isTerminal ? bar(total, label) : lines(total, label, output);
}

function bar(total: number, label: string): Progress {
  const started = performance.now();
  const shown = new cliProgress.SingleBar({
    format: "{label} [{bar}] {value}/{total} {rate}/s, {left} {note}",
    barsize: 24,
    hideCursor: true,
    linewrap: false,
    barCompleteChar: "#",
    barIncompleteChar: "-",
  });
  let stopped = false;
  shown.start(total, 0, { label, rate: "-", left: "- left", note: "" });
  return {
    update(done, note = "") {
      if (!stopped) shown.update(done, { ...figures(done, total, performance.now() - started), note });
    },
    stop() {
      if (!stopped) shown.stop();
      stopped = true;
    },
  };
}

function lines(total: number, label: string, output: ProgressOutput): Progress {
  const started = output.now();
  let last = started;
  let stopped = false;
  return {
    update(done, note = "") {
      const now = output.now();
      if (stopped || (now - last < LINE_EVERY_MS && done < total)) return;
      last = now;
      const { rate, left } = figures(done, total, now - started);
      output.write(`${label} ${done}/${total} ${rate}/s, ${left} ${note}`.trimEnd() + "\n");
      if (done >= total) stopped = true;
    },
    stop() {
      stopped = true;
    },
  };
}

function figures(done: number, total: number, elapsedMs: number): { rate: string; left: string } {
  const perSecond = done / Math.max(elapsedMs / 1000, 1e-3);
  return {
    rate: perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toPrecision(2),
    left: done >= total
      ? `took ${duration(elapsedMs / 1000)}`
      : `${perSecond > 0 ? duration((total - done) / perSecond) : "-"} left`,
  };
}

/** Seconds as `42s`, `3m05s` or `2h07m`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  const two = (n: number) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`;
  return `${Math.floor(s / 3600)}h${two(Math.floor(s % 3600 / 60))}m`;
}

/** The corpus, which shows how far each way through its rows is where they come in several parts. */
export function withProgress<
  C extends Pick<CorpusStream, "rows" | "items" | "users" | "interactions" | "samples">,
>(
  corpus: C,
  progressOf: (total: number, label: string) => Progress,
): C {
  async function* watched<P>(
    name: keyof NonNullable<CorpusStream["rows"]>,
    parts: AsyncIterable<P>,
    rowsOf: (part: P) => number,
    before?: PartsBefore,
  ): AsyncGenerator<P> {
    const total = corpus.rows?.[name];
    let rows = before?.rows ?? 0;
    let progress: Progress | undefined;
    try {
      for await (const part of parts) {
        if (rows > 0 && total !== undefined) progress ??= progressOf(total, `rows of ${name}`);
        yield part;
        rows += rowsOf(part);
        progress?.update(rows);
      }
    } finally {
      progress?.stop();
    }
  }
  return {
    ...corpus,
    items: () => watched("items", corpus.items(), ({ length }) => length),
    users: () => watched("users", corpus.users(), ({ length }) => length),
    interactions: (before) =>
      watched("interactions", corpus.interactions(before), ({ users }) => users.length, before),
    samples: (split, before) => watched(split, corpus.samples(split, before), ({ length }) => length, before),
  };
}
