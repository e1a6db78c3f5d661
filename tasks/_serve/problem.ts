import type { Context } from "hono";
import { z } from "zod";
import type { ServeEnv } from "./env.ts";

const TITLES = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  499: "Client Closed Request",
  500: "Internal Server Error",
  503: "Service Unavailable",
  504: "Gateway Timeout",
} as const;

/** Status of an answer that says what is wrong. */
export type ProblemStatus = keyof typeof TITLES;

/** What every answer but a good one holds, after RFC 9457. */
export const ProblemSchema = z.object({
  title: z.string().describe("what kind of problem this is"),
  status: z.int().describe("status of the answer"),
  detail: z.string().describe("what failed, what was expected and what to do"),
  traceId: z.string().describe("trace id of the request, as in the log"),
}).meta({ id: "Problem", description: "what is wrong with a request, after RFC 9457" });

/** What is wrong with a request: thrown by what answers it. */
export class Problem extends Error {
  constructor(
    readonly status: ProblemStatus,
    readonly detail: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
  }
}

/** The answer that tells of a problem. */
export function problemAnswer(c: Context<ServeEnv>, { status, detail, headers }: Problem): Response {
  const body: z.output<typeof ProblemSchema> = {
    title: TITLES[status],
    status,
    detail,
    traceId: c.get("trace").traceId,
  };
  return c.body(JSON.stringify(body), status as 400, {
    ...headers,
    "Content-Type": "application/problem+json",
  });
}

/** How the description of the API tells of problems. */
export function problems(...statuses: ProblemStatus[]) {
  return Object.fromEntries(statuses.map((status) => [status, {
    description: TITLES[status],
    content: { "application/problem+json": { schema: ProblemSchema } },
  }]));
}
