import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { UserError } from "../../../base/user_error.ts";
import { parseArgs, reportError, type Task, UsageError } from "../../../tasks/_cli/cli.ts";
import { cacheFolder, claimCache } from "../../../base/files/cache_folder.ts";
import { didYouMean, editDistance } from "../../../base/did_you_mean.ts";
import { duration, startProgress } from "../../../tasks/_cli/progress.ts";

const config = z.strictObject({
  maxSteps: z.int().min(1).default(100).describe("steps"),
  learningRate: z.number().default(1e-3).describe("rate"),
  shuffle: z.boolean().default(true).describe("shuffle rows"),
  schedule: z.enum(["linear", "cosine"]).default("linear").describe("schedule"),
  history: z.array(z.int()).default([]).describe("items"),
  beams: z.union([z.literal("auto"), z.int()]).default("auto").describe("beams"),
  names: z.array(z.union([z.int().min(0), z.string()])).optional().describe("items by number or id"),
  limit: z.number().nullable().default(null).describe("rows to read"),
  data: z.string().describe("dataset"),
});
const task: Task<typeof config> = { name: "demo", summary: "shows flags", config, run: async () => {} };
const parse = (...args: string[]) => parseArgs(task, args)!.config;

function withConfig(yaml: string, run: (file: string) => void): void {
  const file = Deno.makeTempFileSync({ suffix: ".yaml" });
  try {
    Deno.writeTextFileSync(file, yaml);
    run(file);
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("parseArgs() reads each type of flag", () => {
  const flags =
    "--data d --max-steps 7 --learning-rate -2.5e-1 --no-shuffle --schedule cosine --history 3,1,2 --beams 50";
  assert.deepEqual(parse(...flags.split(" ")), {
    maxSteps: 7,
    learningRate: -0.25,
    shuffle: false,
    schedule: "cosine",
    history: [3, 1, 2],
    beams: 50,
    limit: null,
    data: "d",
  });
});

Deno.test("parseArgs() fills in defaults and keeps text that looks like a number as text", () => {
  const found = parse("--data", "007");
  assert.equal(found.data, "007");
  assert.equal(found.maxSteps, 100);
  assert.equal(found.beams, "auto");
});

Deno.test("parseArgs() adds up lists that come in several flags", () => {
  assert.deepEqual(parse("--data", "d", "--history", "3", "--history", "1,2").history, [3, 1, 2]);
});

Deno.test("parseArgs() takes for a text what is no number that the flag may have, where it may be a text", () => {
  assert.deepEqual(parse("--data", "d", "--names", "12,0012,-5,1.5,1e3").names, [
    12,
    "0012",
    "-5",
    "1.5",
    "1e3",
  ]);
});

Deno.test("parseArgs() lets flags win over the config file, and the file over defaults", () => {
  withConfig("maxSteps: 5\nschedule: cosine\ndata: d\nhistory: [4, 5]\n", (file) => {
    const found = parse("--config", file, "--max-steps", "9");
    assert.deepEqual([found.maxSteps, found.schedule, found.learningRate], [9, "cosine", 1e-3]);
    assert.deepEqual(found.history, [4, 5]);
  });
});

Deno.test("parseArgs() takes what a config file extends, from beside it, below the file's own values", () => {
  withConfig("maxSteps: 5\nschedule: cosine\n", (base) => {
    const own = `${base}.own.yaml`;
    Deno.writeTextFileSync(own, `extends: ./${basename(base)}\ndata: d\nmaxSteps: 7\n`);
    const found = parse("--config", own);
    assert.deepEqual([found.data, found.maxSteps, found.schedule], ["d", 7, "cosine"]);
    Deno.writeTextFileSync(own, `extends: ${base}\ndata: d\nmaxSteps: 7\n`); // a whole path
    assert.deepEqual(parse("--config", own).schedule, "cosine");
    Deno.writeTextFileSync(own, `extends: ${basename(own)}\n`);
    assert.throws(() => parse("--config", own), /Cannot read config .*: it extends itself/);
    Deno.writeTextFileSync(own, "extends: [1]\n");
    assert.throws(() => parse("--config", own), /extends is \[1\], expected a file name/);
    Deno.removeSync(own);
  });
});

Deno.test("parseArgs() names the flag that was meant", () => {
  assert.throws(() => parse("--data", "d", "--max-step", "3"), (error: Error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /Unknown option '--max-step'. Did you mean --max-steps\?/);
    return true;
  });
});

Deno.test("parseArgs() names the file, line and likely key of an unknown key", () => {
  withConfig("data: d\nmaxStep: 5\n", (file) => {
    assert.throws(() => parse("--config", file), {
      name: "UsageError",
      message: `Unknown key maxStep in ${file} line 2 for genrec demo. Did you mean maxSteps?`,
    });
  });
  // JSON on one line has no line that begins with the key.
  withConfig('{"data": "d", "maxStep": 5}', (file) => {
    assert.throws(() => parse("--config", file), {
      message: new RegExp(`^Unknown key maxStep in ${file} for`),
    });
  });
});

Deno.test("parseArgs() says which value is wrong and where it came from", () => {
  assert.throws(() => parse("--data", "d", "--max-steps", "0"), /Cannot use --max-steps 0: .*>=1/);
  assert.throws(
    () => parse("--data", "d", "--max-steps", "many"),
    /Cannot use --max-steps many: .*expected .*number/,
  );
  assert.throws(() => parse("--data", "d", "--schedule", "cos"), /"linear"\|"cosine"/);
  assert.throws(() => parse(), /Missing --data: dataset/);
  withConfig("data: d\nmaxSteps: 0\n", (file) => {
    assert.throws(() => parse("--config", file), new RegExp(`Cannot use maxSteps in ${file}`));
  });
});

Deno.test("parseArgs() tells apart a missing file, bad YAML and a file that is no mapping", () => {
  assert.throws(() => parse("--config", "/nonexistent.yaml"), UserError);
  withConfig("a: [1, 2\n", (file) => assert.throws(() => parse("--config", file), /as YAML: .*line/s));
  withConfig("- a\n", (file) => assert.throws(() => parse("--config", file), /expected lines such as/));
  withConfig("", (file) => {
    Deno.writeFileSync(file, Uint8Array.of(...new TextEncoder().encode("data: caf"), 0xe9, 10));
    assert.throws(() => parse("--config", file), /expected UTF-8 text, found other bytes\. Convert/);
  });
});

Deno.test("editDistance() counts a swap of neighbours as one", () => {
  assert.equal(editDistance("beams", "beams"), 0);
  assert.equal(editDistance("baems", "beams"), 1);
  assert.equal(editDistance("beam", "beams"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
});

Deno.test("didYouMean() stays silent when nothing is near", () => {
  assert.equal(didYouMean("max-steps", ["maxSteps", "minSteps"]), ". Did you mean maxSteps?");
  assert.equal(didYouMean("zebra", ["maxSteps", "seed"]), "");
});

Deno.test("startProgress() prints a line every five seconds and at the end without a terminal", () => {
  const lines: string[] = [];
  let now = 0;
  const output = { isTerminal: false, write: (text: string) => void lines.push(text), now: () => now };
  const progress = startProgress(100, "sft", output);
  for (let step = 1; step <= 100; step++) {
    now = step * 100;
    progress.update(step, "loss 2");
  }
  progress.update(100);
  assert.deepEqual(lines, ["sft 50/100 10/s, 5s left loss 2\n", "sft 100/100 10/s, took 10s loss 2\n"]);
});

Deno.test("duration() uses two units at most", () => {
  assert.deepEqual([42.4, 185, 7620].map(duration), ["42s", "3m05s", "2h07m"]);
});

Deno.test("cacheFolder() prefers GENREC_CACHE, then XDG_CACHE_HOME, then HOME", () => {
  const of = (env: Record<string, string>) => cacheFolder((name) => env[name]);
  assert.equal(of({ GENREC_CACHE: "/c", XDG_CACHE_HOME: "/x", HOME: "/h" }), "/c");
  assert.equal(of({ XDG_CACHE_HOME: "/x", HOME: "/h" }), "/x/genrec");
  assert.equal(of({ HOME: "/h" }), "/h/.cache/genrec");
  assert.match(of({ TMPDIR: "/t" }), /^\/t\/genrec-/);
});

const main = fileURLToPath(new URL("../../../tasks/main.ts", import.meta.url));

async function genrec(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, ...args],
    env: { NO_COLOR: "1", ...env },
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("genrec exits with 2 and a suggestion for an unknown task or flag", async () => {
  const wrongTask = await genrec(["docter"]);
  assert.deepEqual([wrongTask.code, wrongTask.stderr], [
    2,
    "error: Unknown task docter. Did you mean doctor?\n",
  ]);
  const wrongFlag = await genrec(["doctor", "--jsn"]);
  assert.deepEqual([wrongFlag.code, wrongFlag.stderr], [
    2,
    "error: Unknown option '--jsn'. Did you mean --json?\n",
  ]);
});

Deno.test("genrec --help lists every task, and each task's --help its flags with defaults", async () => {
  const all = await genrec(["--help"]);
  assert.equal(all.code, 0);
  assert.match(all.stdout, /^ {2}doctor +\S/m);
  const build = await genrec(["build", "--help"]);
  assert.equal(build.code, 0);
  assert.match(build.stdout, /--level <n> +gzip level of the self-extracting file \(default: 9\)/);
  assert.match(
    build.stdout,
    /--target <choice> +system that it is for; empty: this one; one of linux-x64, linux-arm64/,
  );
  assert.match(build.stdout, /genrec build --mode self-extracting/);
});

Deno.test("doctor exits with 1 and the cure when there is no adapter", async () => {
  const env = { VK_ICD_FILENAMES: "/nonexistent", VK_DRIVER_FILES: "/nonexistent" };
  const { code, stdout, stderr } = await genrec(["doctor", "--json"], env);
  assert.equal(code, 1);
  const report = JSON.parse(stdout);
  assert.equal(report.usable, false);
  assert.equal(report.adapter, null);
  assert.match(stderr, /^error: Cannot find a WebGPU adapter. .*unset VK_/m);
});

Deno.test("doctor --json prints one JSON value and finds that 1 + 1 is 2", async () => {
  const { code, stdout, stderr } = await genrec(["doctor", "--json"]);
  if (code !== 0 && Deno.env.get("REQUIRE_GPU") !== "1") {
    console.log(`skipped: ${stderr.trim()}`);
    return;
  }
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).onePlusOne, 2);
});

/** Sends a signal to a task in the middle of its work; what it prints, and how it ends. */
async function stopped(signal: Deno.Signal, before: string[] = []) {
  const file = join(Deno.makeTempDirSync(), "task.ts");
  const url = new URL("../../../tasks/_cli/cli.ts", import.meta.url).href;
  const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
  Deno.writeTextFileSync(
    file,
    `import { runTask } from "${url}";
     import { z } from "zod";
     const run = async (_, io) => {
       console.log("started");
       for (let i = 0; i < 150 && !io.signal.aborted; i++) await new Promise((done) => setTimeout(done, 10));
       console.log("saved");
     };
     Deno.exit(await runTask({ name: "t", summary: "", config: z.strictObject({}), run }, []));`,
  );
  const [program, ...args] = [...before, Deno.execPath()];
  const child = new Deno.Command(program, {
    args: [...args, "run", "-A", "--no-check", "--config", config, file],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("started")) text += (await reader.read()).value ?? assert.fail(`ended: ${text}`);
  child.kill(signal);
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
  Deno.removeSync(file);
  return { code, text, stderr };
}

Deno.test("claimCache() makes a cache that nobody else may write to, and takes none that anybody may", () => {
  const folder = Deno.makeTempDirSync();
  try {
    assert.equal(claimCache(join(folder, "a/b")), true);
    assert.equal(Deno.statSync(join(folder, "a/b")).mode! & 0o777, 0o700);
    Deno.chmodSync(join(folder, "a/b"), 0o777);
    assert.equal(claimCache(join(folder, "a/b")), false);
    Deno.writeTextFileSync(join(folder, "file"), "");
    assert.equal(claimCache(join(folder, "file")), false);
    if (Deno.uid() === 0) {
      Deno.mkdirSync(join(folder, "foreign"));
      Deno.chownSync(join(folder, "foreign"), 65534, 65534);
      assert.equal(claimCache(join(folder, "foreign")), false);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("Ctrl-C, SIGTERM and SIGHUP let a task finish its step, then exit with 128 and the signal's number", async () => {
  const cases = [["SIGINT", 130, "Ctrl-C"], ["SIGTERM", 143, "SIGTERM"], ["SIGHUP", 129, "SIGHUP"]] as const;
  for (const [signal, expected, name] of cases) {
    const { code, text, stderr } = await stopped(signal);
    assert.deepEqual({ code, text }, { code: expected, text: "started\nsaved\n" });
    assert.match(stderr, new RegExp(`${name}: stopping after this step`));
  }
});

Deno.test("SIGHUP does not stop a task that was started with nohup", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const { code, text } = await stopped("SIGHUP", ["nohup"]);
  assert.deepEqual({ code, text }, { code: 0, text: "started\nsaved\n" });
});

Deno.test("reportError() tells of too little memory in one line", () => {
  const printed: unknown[] = [];
  const { error } = console;
  console.error = (message: unknown) => void printed.push(message);
  try {
    for (const length of [2 ** 40, 2 ** 53]) {
      try {
        new Float32Array(length);
        assert.fail("so long an array cannot be");
      } catch (error) {
        assert.equal(reportError(error), 1);
      }
    }
  } finally {
    console.error = error;
  }
  assert.equal(printed.length, 2);
  for (const line of printed) {
    assert.match(String(line), /^error: Cannot go on: there is not enough memory \(/);
  }
});
