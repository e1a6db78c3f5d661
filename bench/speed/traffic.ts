import { PhiloxStream } from "../../base/philox.ts";

/** What is asked. */
export interface TrafficRequest {
  url: string;
  /** Item numbers, oldest first; asked one after the other, then from the start again. */
  histories: readonly (readonly number[])[];
  /** Items a user. */
  top: number;
  /** Items that there are. */
  items: number;
}

/** How much is asked at once, and for how long. */
export interface TrafficOptions {
  connections: number;
  seconds?: number;
  /** Instead of `seconds`. */
  requests?: number;
  /** Requests a second at most, those of a second in one burst at its start; without it as many as are answered. */
  rate?: number;
}

/** What came of it. */
export interface Traffic {
  usersPerSecond: number;
  /** Milliseconds that half of the answers, and all but a hundredth of them, took at most. */
  p50: number;
  p99: number;
  requests: number;
  /** Items that were recommended. */
  items: number;
  /** Those that there are not, that were listed twice, or that a list lacks. */
  wrongItems: number;
  /** Requests without an answer, or with another status than 200. */
  failed: number;
}

// Not in the import map, whose packages every command loads when it starts for the first time.
const AUTOCANNON = "npm:autocannon@9.0.0";

/** Sends requests to `POST /recommend`, and checks each answer. */
export async function sendTraffic(
  { url, histories, top, items }: TrafficRequest,
  { connections, seconds, requests, rate }: TrafficOptions,
): Promise<Traffic> {
  const { default: autocannon } = await import(AUTOCANNON);
  const checked = new CheckedAnswers(top, items);
  let asked = 0;
  const result = await autocannon({
    url,
    connections,
    ...(requests === undefined ? { duration: seconds } : { amount: requests }),
    ...(rate !== undefined && { overallRate: Math.max(1, Math.round(rate)) }),
    timeout: 30,
    requests: [{
      method: "POST",
      path: "/recommend",
      headers: { "Content-Type": "application/json" },
      setupRequest: (request: Record<string, unknown>) => ({
        ...request,
        body: JSON.stringify({ history: histories[asked++ % histories.length], top }),
      }),
      onResponse: (status: number, text: string) => checked.add(status, text),
    }],
  });
  return {
    usersPerSecond: result["2xx"] / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    requests: result["2xx"] + result.non2xx,
    items: checked.listed,
    wrongItems: checked.wrong,
    failed: result.non2xx + result.errors + result.timeouts + checked.unreadable,
  };
}

/**
 * Sends `rate` requests a second in the mean, each at a time of its own as people come: the times between them are
 * exponential. An answer's time counts from when its request was due. Waits for the last answer.
 */
export async function sendArrivals(
  { url, histories, top, items }: TrafficRequest,
  { seconds, rate, seed = 42 }: { seconds: number; rate: number; seed?: number },
): Promise<Traffic> {
  const draws = new PhiloxStream(seed, "arrivals");
  const checked = new CheckedAnswers(top, items);
  const times: number[] = [], answers: Promise<void>[] = [];
  let failed = 0;
  const start = performance.now();
  for (let due = 0, asked = 0;; asked++) {
    due += -1000 * Math.log1p(-draws.uniform()) / rate;
    if (due >= 1000 * seconds) break;
    const wait = start + due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const history = histories[asked % histories.length];
    const ask = async () => {
      try {
        const response = await fetch(`${url}/recommend`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ history, top }),
        });
        const text = await response.text();
        times.push(performance.now() - start - due);
        if (response.status !== 200) failed++;
        checked.add(response.status, text);
      } catch {
        failed++;
      }
    };
    answers.push(ask());
  }
  await Promise.all(answers);
  const elapsed = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  const quantile = (share: number) =>
    Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))]);
  return {
    usersPerSecond: (answers.length - failed) / elapsed,
    p50: quantile(.5),
    p99: quantile(.99),
    requests: answers.length,
    items: checked.listed,
    wrongItems: checked.wrong,
    failed: failed + checked.unreadable,
  };
}

/** Answers as they come. */
class CheckedAnswers {
  /** Items that were recommended, those that are wrong, and answers of another form. */
  listed = 0;
  wrong = 0;
  unreadable = 0;
  readonly #top: number;
  readonly #items: number;

  constructor(top: number, items: number) {
    this.#top = top;
    this.#items = items;
  }

  add(status: number, text: string): void {
    if (status !== 200) return;
    try {
      const { answers: [{ recommendations }] } = JSON.parse(text);
      const numbers = new Set<number>(recommendations.map(({ item }: { item: number }) => item));
      const isThere = (item: number) => Number.isInteger(item) && item >= 0 && item < this.#items;
      const right = [...numbers].filter(isThere).length;
      this.listed += recommendations.length;
      this.wrong += Math.max(this.#top, recommendations.length) - right;
    } catch {
      this.unreadable++;
    }
  }
}
