import assert from "node:assert/strict";
import { z } from "zod";
import { parseArgs, UsageError } from "../../../tasks/_cli/cli.ts";
import { ownSettings, settingsFlags, settingsOf } from "../../../tasks/_cli/settings_flags.ts";

const seed = z.int().min(0).default(42).describe("seed of the start");
const lloyd = {
  name: "lloyd",
  Config: z.strictObject({ iterations: z.int().default(25).describe("most updates"), seed }),
};
const adam = {
  name: "adam",
  Config: z.strictObject({
    iterations: z.int().default(1000).describe("steps"),
    beta: z.number().max(1).default(0.25).describe("weight of the commitment"),
    restart: z.boolean().default(true).describe("dead codes start again"),
    seed,
  }),
};
const sgd = { name: "sgd", Config: z.strictObject({ beta: z.number().default(0.25), seed }) };
const parts = [lloyd, adam, sgd];
const flags = settingsFlags(parts, "method");

const task = {
  name: "fit",
  summary: "",
  config: z.strictObject({ ...flags }),
  run: () => Promise.resolve(),
};
const parse = (...args: string[]) => parseArgs(task, args)!.config;

Deno.test("settingsOf() gives each part its own default where nothing is said", () => {
  assert.deepEqual(settingsOf(lloyd, parts, parse(), "method"), { iterations: 25, seed: 42 });
  assert.equal(settingsOf(adam, parts, parse(), "method").iterations, 1000);
});

Deno.test("settingsOf() passes on what is said", () => {
  const config = settingsOf(adam, parts, parse("--iterations", "7", "--no-restart"), "method");
  assert.deepEqual(config, { iterations: 7, beta: 0.25, restart: false, seed: 42 });
});

Deno.test("settingsOf() refuses a setting of other parts and says whose it is", () => {
  assert.throws(
    () => settingsOf(lloyd, parts, parse("--beta", "0.5"), "method"),
    (error) =>
      error instanceof UsageError &&
      error.message === "Cannot use --beta with the method lloyd: it is a setting of adam, sgd. Leave it out",
  );
});

Deno.test("settingsOf() refuses a value that this part does not take though another would", () => {
  assert.equal(settingsOf(sgd, parts, parse("--beta", "2"), "method").beta, 2);
  assert.throws(
    () => settingsOf(adam, parts, parse("--beta", "2"), "method"),
    /Cannot use --beta 2 with the method adam: /,
  );
});

Deno.test("settingsFlags() tells whose setting it is, under which heading, and what it defaults to", () => {
  assert.deepEqual(
    Object.entries(flags).map(([key, field]) => ({ key, ...field.meta() })),
    [
      { key: "seed", description: "seed of the start", group: "Settings of every method", usually: "42" },
      {
        key: "iterations",
        description: "most updates",
        group: "Settings of lloyd, adam",
        usually: "25, adam 1000",
      },
      {
        key: "beta",
        description: "weight of the commitment",
        group: "Settings of adam, sgd",
        usually: "0.25",
      },
      { key: "restart", description: "dead codes start again", group: "Settings of adam", usually: "yes" },
    ],
  );
});

Deno.test("ownSettings() takes no notice of what belongs to others", () => {
  assert.deepEqual(ownSettings(lloyd, parse("--beta", "0.5", "--seed", "7"), "method"), {
    iterations: 25,
    seed: 7,
  });
});
