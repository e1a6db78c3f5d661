import { z } from "zod";
import { count, grouped, positive } from "../../base/fields.ts";

/** Where a server listens, and who may ask. */
export const ServerFlags = grouped("Server", {
  host: z.string().min(1).default("127.0.0.1").describe(
    "address to listen on; the default is reached from this machine alone, 0.0.0.0 from anywhere",
  ),
  port: z.int().min(0).max(65535).default(8000).describe("port to listen on; 0: any that is free"),
  tokenFile: z.string().default("").describe(
    "file of tokens, one a line, of which a request must bear one (Authorization: Bearer TOKEN); read again by a reload. " +
      "Without it anybody who reaches the port may ask, and nobody may reload over HTTP",
  ),
  corsOrigin: z.array(z.string()).default([]).describe(
    "origins whose web pages may ask, such as https://shop.example; none without it",
  ),
  logRequests: z.boolean().default(true).describe("write a line of JSON for each request"),
});

/** What one request, and all of them together, may take. */
export const LimitFlags = grouped("Limits", {
  maxBatch: count().default(16).describe(
    "users that are searched together, those that wait at the same time",
  ),
  maxQueue: count().default(256).describe(
    "users that may wait; a request that finds no place is answered 429, with Retry-After",
  ),
  maxUsers: count().default(64).describe("users of one request; --max-queue or less"),
  maxTop: count().default(100).describe("items that a request may ask for a user"),
  maxItems: count().default(200).describe("entries of a history, and of a list of items that are denied"),
  maxBody: count().default(1 << 20).describe("bytes of a request's body"),
  deadline: positive.default(10).describe(
    "seconds that a request may take, its body included; a request may ask for less",
  ),
  drain: z.number().min(0).default(30).describe(
    "seconds that requests get to end after SIGTERM or Ctrl-C, while no others are taken",
  ),
});

/** Values of {@link ServerFlags} and {@link LimitFlags}. */
export type ServerSettings = {
  [K in keyof typeof ServerFlags]: z.output<(typeof ServerFlags)[K]>;
};

/** Values of {@link LimitFlags}. */
export type Limits = { [K in keyof typeof LimitFlags]: number };
