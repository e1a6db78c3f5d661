// Every command of the documentation runs on small data (tests/scenarios/docs/tour_test.ts), or where it needs hours or
// files that are not here, is parsed.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { parseArgs } from "../../tasks/_cli/cli.ts";
import { flagOf } from "../../tasks/_cli/command/property.ts";
import { loadTask, registry, type TaskName } from "../../tasks/registry.ts";
import { type Command, commandsOf, type Fence, fencesOf, pages, root, TOUR } from "./markdown.ts";

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
    // Of launchers of several processes.
    "--bind-to",
    "--gpus-per-task",
    "--mpi",
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
        if (/^(deno|apt|git|llama-cli) /.test(code)) continue;
        const flags = code.match(/(?<![\w-])--[a-z][\w-]*/g) ?? [];
        wrong.push(...flags.filter((flag) => !known.has(flag)).map((flag) => `${page}:${i + 1}: ${flag}`));
      }
    });
  }
  assert.deepEqual(wrong, []);
});

/** What is wrong with a command line, undefined where nothing is. */
async function faultOf([program, ...words]: readonly string[]): Promise<string | undefined> {
  if (program === "./genrec") return await taskFault(words);
  // A launcher of several processes.
  if (["mpirun", "srun"].includes(program)) return await faultOf(words.slice(words.indexOf("./genrec")));
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
