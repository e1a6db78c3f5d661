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
  /** Requests a second at most; without it as many as are answered. */
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
  let asked = 0, listed = 0, wrongItems = 0, unreadable = 0;
  const check = (status: number, text: string) => {
    if (status !== 200) return;
    try {
      const { answers: [{ recommendations }] } = JSON.parse(text);
      const numbers = new Set<number>(recommendations.map(({ item }: { item: number }) => item));
      const right = [...numbers].filter((item) => Number.isInteger(item) && item >= 0 && item < items).length;
      listed += recommendations.length;
      wrongItems += Math.max(top, recommendations.length) - right;
    } catch {
      unreadable++;
    }
  };
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
      onResponse: check,
    }],
  });
  return {
    usersPerSecond: result["2xx"] / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    requests: result["2xx"] + result.non2xx,
    items: listed,
    wrongItems,
    failed: result.non2xx + result.errors + result.timeouts + unreadable,
  };
}
