// Every command of the documentation runs on small data, or where it needs hours or files that are not here, is parsed.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import type { Dataset } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { flagOf, parseArgs } from "../../tasks/_cli/cli.ts";
import { loadTask, registry, type TaskName } from "../../tasks/registry.ts";
import { type Command, commandsOf, type Fence, fencesOf, pages, root } from "./markdown.ts";

/** Pages whose blocks run, in the order in which a reader follows them: later ones use what earlier ones made. */
const TOUR = [
  "docs/getting_started.md",
  "docs/data.md",
  "docs/guides/tutorial.md",
  "docs/semantic_ids.md",
  "docs/language_models.md",
  "docs/reinforcement.md",
  "docs/baselines.md",
  "docs/evaluation.md",
  "docs/guides/browser.md",
  "docs/coming_from/minionerec.md",
  "docs/coming_from/mimigenrec.md",
  "docs/coming_from/etegrec.md",
  "README.md",
];

const TINY_T5 =
  "--d-model 16 --d-kv 8 --d-ff 16 --num-layers 1 --num-decoder-layers 1 --num-heads 2 --eval-samples 4";
/** Added to what a page says, so that it takes a second. */
const TINY: Partial<Record<TaskName, (words: readonly string[]) => string>> = {
  sft: () =>
    "--max-steps 2 --hidden-size 16 --intermediate-size 16 --num-hidden-layers 1 --num-attention-heads 2 " +
    "--num-key-value-heads 2 --tokens-per-batch 128 --eval-samples 4 --eval-beams 4",
  rl: () => "--max-steps 1 --prompts-per-step 2 --num-generations 4 --eval-samples 4 --eval-beams 10",
  evaluate: (words) =>
    words.includes("--compare") || words.includes("--merge") ? "" : "--limit 12 --beams 10",
  baseline: (words) =>
    words.includes("tiger")
      ? `--num-train-epochs 1 --beams 10 ${TINY_T5}`
      : words.includes("sasrec")
      ? "--num-train-epochs 1 --beams 10 --hidden-size 16 --num-hidden-layers 1"
      : "--beams 10",
  etegrec: () =>
    `${TINY_T5} --tokenizer-epochs 1 --tokenizer-layers 16 --tokenizer-latent-dim 8 --tokenizer-codebook-size 8 ` +
    "--num-train-epochs 2 --cycle 2 --finetune-epochs 1 --limit 12 --beams 10",
  data: (words) => words.includes("--check") || words.includes("--user-k") ? "" : "--user-k 2 --item-k 2",
  sid: (words) =>
    words.includes("letter") || words.includes("rqvae")
      ? `--epochs 1 --layers 16 --latent-dim 8 --codebook-size ${words.includes("letter") ? 16 : 8}`
      : words.includes("--inspect") || words.includes("--add")
      ? ""
      : `--iterations 2 --starts 1 ` +
        (words.includes("--codebook-size") ? "" : "--codebook-size 4"),
};
/** Tasks that read every user of the built-in data get a few of them. */
const FEW_USERS: string[] = ["sft", "baseline", "etegrec"];

const all = pages();
const fences = Object.entries(all).flatMap(([page, text]) => fencesOf(page, text));
const at = ({ page, line }: Pick<Command, "page" | "line">) => `${page}:${line}`;
const isRun = ({ info }: Fence) => info === "sh";
const isParsed = ({ info }: Fence) => info === "sh parsed";

Deno.test("commandsOf() reads a block as a shell does", () => {
  const text = "# all\n./genrec sid --out 'a b'  # here\n./genrec data --user who \\\n  --name=\"x y\"\n";
  assert.deepEqual(commandsOf({ page: "p", line: 1, text }), [
    { page: "p", line: 3, words: ["./genrec", "sid", "--out", "a b"] },
    { page: "p", line: 4, words: ["./genrec", "data", "--user", "who", "--name=x y"] },
  ]);
});

Deno.test("commands stand in fenced blocks that a test runs or parses", () => {
  const shells = fences.filter(({ info }) => /^(sh|bash|shell|console)\b/.test(info));
  assert.deepEqual(shells.filter((fence) => !isRun(fence) && !isParsed(fence)).map(at), []);
  assert.deepEqual(shells.filter(isRun).filter(({ page }) => !TOUR.includes(page)).map(at), []);
  for (const [page, text] of Object.entries(all)) {
    const indented = text.split("\n").findIndex((line) => /^ {4,}\.\/genrec/.test(line));
    const inText = fences.some((fence) =>
      fence.page === page && fence.line <= indented && indented < fence.line + fence.text.split("\n").length
    );
    assert.ok(
      indented < 0 || inText,
      `${page}:${indented + 1}: put this command in a block that starts with \`\`\`sh`,
    );
  }
});

Deno.test("every command that is only parsed names a task, flags and values that there are", async () => {
  const wrong: string[] = [];
  for (const command of fences.filter(isParsed).flatMap(commandsOf)) {
    const fault = await faultOf(command.words);
    if (fault !== undefined) wrong.push(`${at(command)}: ${command.words.join(" ")}: ${fault}`);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("faultOf() sees a wrong task, flag, value, script and option", async () => {
  const faults: [string, RegExp][] = [
    ["./genrec sfd --out x", /no task sfd/],
    ["./genrec sft --data x --out y --hiden-size 3", /Unknown option '--hiden-size'/],
    ["./genrec sft --data x --out y --hidden-size wide", /Cannot use --hidden-size wide/],
    ["./genrec sft --out y", /Missing --data/],
    ["deno run -A bench/results/none.ts", /no file bench\/results\/none.ts/],
    ["deno run -A bench/results/sids.ts --best", /no option --best/],
    ["deno task nothing", /no task nothing/],
    ["make all", /expected .\/genrec or deno/],
  ];
  for (const [line, message] of faults) assert.match(await faultOf(line.split(" ")) ?? "none", message, line);
  assert.equal(await faultOf("deno run -A bench/results/sids.ts --test".split(" ")), undefined);
});

Deno.test("every flag that a page names is a flag", async () => {
  // The last two stand for any flag.
  const known = new Set([
    "--help",
    "--version",
    "--config",
    "--json",
    "--yes",
    "--parallel",
    "--flag",
    "--no-flag",
  ]);
  for (const name of Object.keys(registry) as TaskName[]) {
    for (const key of Object.keys((await loadTask(name)).config.shape)) {
      known.add(flagOf(key)).add(flagOf(key).replace("--", "--no-"));
    }
  }
  // Settings of the parts that a page adds.
  for (const { text } of fences.filter(({ info }) => info.startsWith("ts "))) {
    for (const [, key] of text.matchAll(/^ +(\w+): z\./gm)) known.add(flagOf(key));
  }
  const scripts = [...Object.values(all).join("\n").matchAll(/\bbench\/[\w/]+\.ts\b/g)].map(([path]) => path);
  for (const path of new Set(scripts)) for (const option of optionsOf(path)) known.add(`--${option}`);
  const wrong: string[] = [];
  for (const [page, text] of Object.entries(all)) {
    text.split("\n").forEach((line, i) => {
      for (const [, code] of line.matchAll(/`([^`]+)`/g)) {
        if (/^(deno|apt|git) /.test(code)) continue;
        const flags = code.match(/(?<![\w-])--[a-z][\w-]*/g) ?? [];
        wrong.push(...flags.filter((flag) => !known.has(flag)).map((flag) => `${page}:${i + 1}: ${flag}`));
      }
    });
  }
  assert.deepEqual(wrong, []);
});

Deno.test("every command of the tour runs", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "genrec-docs-" });
  try {
    const synthetic = await loadDataset("synthetic");
    writeFewUsers(join(folder, "few"), synthetic);
    writeRawLogs(join(folder, "raw"), synthetic);
    const told = fences.filter(({ page }) => TOUR.includes(page));
    for (const { info, text } of told) {
      const [, path] = /^(?:json|csv|ts|yaml) (\S+)$/.exec(info) ?? [];
      if (path === undefined) continue;
      assert.ok(!existsSync(join(folder, path)), `${path} is there twice`);
      writeFile(join(folder, path), text);
    }
    const commands = TOUR.flatMap((page) => told.filter((fence) => fence.page === page && isRun(fence)))
      .flatMap(commandsOf);
    await runLines(folder, withoutRepeats(commands));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** What several pages tell a reader to do is done once; where a page says more of it, as with --resume, it differs. */
function withoutRepeats(commands: readonly Command[]): Command[] {
  const lineOf = ({ words }: Command) => JSON.stringify(words);
  const first = new Map(commands.toReversed().map((command) => [lineOf(command), command]));
  return commands.filter((command) => first.get(lineOf(command)) === command);
}

/** What is wrong with a command line, undefined where nothing is. */
async function faultOf([program, ...words]: readonly string[]): Promise<string | undefined> {
  if (program === "./genrec") return await taskFault(words);
  if (program !== "deno") return `cannot check ${program}: expected ./genrec or deno`;
  const [verb, ...rest] = words;
  if (verb === "task") {
    const tasks: Record<string, string> = manifest.tasks;
    if (!Object.hasOwn(tasks, rest[0])) return `no task ${rest[0]} in deno.json`;
    return tasks[rest[0]].includes("tasks/main.ts") ? await taskFault(rest) : undefined;
  }
  if (verb === "run") {
    const [path, ...flags] = rest.filter((word) => word !== "-A");
    if (!existsSync(join(root, path))) return `no file ${path}`;
    const options = optionsOf(path);
    const named = flags.filter((word) => word.startsWith("--")).map((word) => word.slice(2).split("=")[0]);
    const unknown = named.find((name) => !options.includes(name));
    return unknown === undefined ? undefined : `${path} has no option --${unknown}`;
  }
  if (!["check", "doc", "fmt", "lint", "publish", "test"].includes(verb)) return `no command deno ${verb}`;
  const missing = rest.find((word) => word.includes("/") && !existsSync(join(root, word)));
  return missing === undefined ? undefined : `no file ${missing}`;
}

async function taskFault([name, ...args]: readonly string[]): Promise<string | undefined> {
  if (name === "test" || name === "--help") return args.length <= 1 ? undefined : "expected one filter";
  if (!Object.hasOwn(registry, name)) return `no task ${name}`;
  const inRoot = args.map((word) => word.startsWith("configs/") ? join(root, word) : word);
  try {
    parseArgs(await loadTask(name as TaskName), inRoot);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Names of the options of a script that calls `parseArgs` of node:util. */
function optionsOf(path: string): string[] {
  const source = readFileSync(join(root, path), "utf8");
  return [...source.matchAll(/^\s+"?([\w-]+)"?: \{\s*type: "(?:string|boolean)"/gm)].map(([, name]) => name);
}

/** Runs the commands in `folder`, each with its tiny settings. Fails with the page's line and the end of the output. */
async function runLines(folder: string, commands: readonly Command[]): Promise<void> {
  const lines = commands.map(({ words: [program, task, ...words] }) => {
    assert.equal(program, "./genrec");
    const few = words.map((word) => word === "synthetic" && FEW_USERS.includes(task) ? "few" : word);
    const tiny = TINY[task as TaskName]?.(words) ?? "";
    // Lists of words would take what follows them.
    return [task, ...tiny.split(" ").filter(Boolean), ...few];
  });
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--config",
      join(root, "deno.json"),
      join(root, "tests/docs/run_lines.ts"),
      JSON.stringify(lines),
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const output = new TextDecoder().decode(stdout);
  const last = output.match(/^>> (\d+|done)$/gm)?.at(-1)?.slice(3);
  if (code === 0 && last === "done") return;
  const command = commands[Number(last)];
  const said = (output.split(`>> ${last}\n`).at(-1)! + new TextDecoder().decode(stderr)).trim().split("\n")
    .slice(-15);
  assert.fail(`${at(command)}: ${lines[Number(last)].join(" ")}\nends with ${code}:\n${said.join("\n")}`);
}

/** The first forty users of the built-in data in two files, as docs/data.md describes. */
function writeFewUsers(folder: string, { items, histories }: Dataset): void {
  const few = histories.filter(({ items }) => items.length > 3).slice(0, 40);
  const contents = {
    "item.json": Object.fromEntries(items.map(({ title }, i) => [i, { title }])),
    "inter.json": Object.fromEntries(few.map(({ user, items }) => [user, items])),
  };
  for (const [name, content] of Object.entries(contents)) {
    writeFile(join(folder, name), JSON.stringify(content));
  }
}

/** Logs of sixty users of the built-in data as Amazon's of 2018 are, from December 2016 on. */
function writeRawLogs(folder: string, { items, histories }: Dataset): void {
  const few = histories.filter(({ items }) => items.length > 3).slice(0, 60);
  const id = (item: number) => `B${String(item).padStart(4, "0")}`;
  const reviews = few.flatMap(({ user, items: bought }) =>
    bought.map((item, i) => ({
      reviewerID: `A${user}`,
      asin: id(item),
      overall: 5,
      unixReviewTime: 1_480_550_400 + 86_400 * i,
      reviewText: "Good.",
      summary: "Good",
    }))
  );
  const meta = items.map(({ title, brand = "", categories = [] }, item) => ({
    asin: id(item),
    title,
    description: [title],
    brand,
    category: categories,
    categories,
    price: "$1.00",
    feature: [],
    imageURLHighRes: [],
  }));
  const lines = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row) + "\n").join("");
  writeFile(join(folder, "Industrial_and_Scientific_5.json"), lines(reviews));
  writeFile(join(folder, "meta_Industrial_and_Scientific.json"), lines(meta));
}

function writeFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
