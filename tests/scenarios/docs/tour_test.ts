// Every command of the documentation's tour runs on small data.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Dataset } from "../../../data/dataset.ts";
import { loadDataset } from "../../../data/formats/load.ts";
import type { TaskName } from "../../../tasks/registry.ts";
import { type Command, commandsOf, fencesOf, pages, root, TOUR } from "../../docs/markdown.ts";

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

Deno.test("every command of the tour runs", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "genrec-docs-" });
  try {
    const synthetic = await loadDataset("synthetic");
    writeFewUsers(join(folder, "few"), synthetic);
    writeRawLogs(join(folder, "raw"), synthetic);
    const all = pages();
    const told = TOUR.flatMap((page) => fencesOf(page, all[page]));
    for (const { info, text } of told) {
      const [, path] = /^(?:json|csv|ts|yaml) (\S+)$/.exec(info) ?? [];
      if (path === undefined) continue;
      assert.ok(!existsSync(join(folder, path)), `${path} is there twice`);
      writeFile(join(folder, path), text);
    }
    const commands = told.filter(({ info }) => info === "sh").flatMap(commandsOf);
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
      join(root, "tests/scenarios/docs/run_lines.ts"),
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
  assert.fail(
    `${command.page}:${command.line}: ${lines[Number(last)].join(" ")}\nends with ${code}:\n${
      said.join("\n")
    }`,
  );
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
