import assert from "node:assert/strict";
import { join } from "node:path";
import { parseArgs, UsageError } from "../../../tasks/_cli/cli.ts";
import { studioApp } from "../../../tasks/_studio/app.ts";
import { shortNames } from "../../../tasks/_studio/shown_run.ts";
import { Studio } from "../../../tasks/_studio/show.ts";
import { task } from "../../../tasks/_studio/studio.ts";
import { writeRuns } from "./run_folders.ts";

const folder = Deno.makeTempDirSync({ prefix: "genrec-studio-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const runs = await writeRuns(folder);

const faults: string[] = [];
const noModels = () => Promise.reject(new Error("these runs have no weights"));
const app = studioApp(await Studio.open([folder], [], noModels), (line) => faults.push(line));

async function get(path: string) {
  const response = await app.fetch(new Request(`http://genrec${path}`));
  const text = await response.text();
  const isJson = response.headers.get("Content-Type")?.includes("json");
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

Deno.test("studio takes runs as words", () => {
  const parse = (...args: string[]) => parseArgs(task, args)!.config;
  assert.deepEqual(parse("runs/a", "runs/b, c", "--port", "0").runs, ["runs/a", "runs/b, c"]);
  assert.throws(() => parse("--port", "0"), (error: Error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /Missing <runs>/);
    return true;
  });
  assert.deepEqual(shortNames(["x/run", "y/run", "y/other"]), ["x/run", "y/run", "y/other"]);
  assert.deepEqual(shortNames(["x/a", "y/b"]), ["a", "b"]);
});

Deno.test("a folder that holds no run is refused, and one that is named twice", async () => {
  await assert.rejects(
    Studio.open([join(folder, "a", "eval")], [], noModels),
    /Cannot show .*eval: neither it nor/,
  );
  await assert.rejects(Studio.open([join(folder, "gone")], [], noModels), /there is no such folder/);
  await assert.rejects(Studio.open([runs.a, folder], [], noModels), /Cannot show .*a twice/);
});

Deno.test("the studio lists runs, their settings and what is new in their logs", async () => {
  const { body } = await get("/studio/runs");
  const at = body.findIndex(({ name }: { name: string }) => name === "a");
  assert.deepEqual([body.length, body[at].task, body[at].dataset], [2, "sft", "shop"]);
  assert.equal((await get("/studio/settings")).body[at].learningRate, 0.1);
  const log = join(runs.a, "metrics.jsonl");
  const first = (await get(`/studio/log?run=${at}`)).body;
  assert.deepEqual(first.lines.map(({ step }: { step: number }) => step), [5, 5]);
  assert.equal(first.end, (await Deno.stat(log)).size);
  // A line that is being written waits for its end.
  await Deno.writeTextFile(log, '{"step":10,"loss":1}\n{"step":1', { append: true });
  const more = async () =>
    (await get(`/studio/log?run=${at}&version=${first.version}&after=${first.end}`)).body;
  assert.deepEqual((await more()).lines, [{ step: 10, loss: 1 }]);
  // A resumed run writes the file anew.
  await Deno.writeTextFile(`${log}.new`, '{"step":1,"loss":7}\n');
  await Deno.rename(`${log}.new`, log);
  assert.deepEqual((await more()).lines, [{ step: 1, loss: 7 }]);
  await Deno.remove(log);
  assert.deepEqual((await more()).age, null);
});

Deno.test("codebooks are shown with the log of their training, stages each with theirs", async () => {
  const place = join(folder, "stages");
  const write = async (path: string, content: unknown) => {
    await Deno.mkdir(join(place, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(place, path), JSON.stringify(content));
  };
  await write("sids/sid.json", { method: "rqvae", settings: { epochs: 9 } });
  await write("sids/training/manifest.json", { task: "sid", dataset: "shop" });
  await write("sids/training/metrics.jsonl", { step: 6, epoch: 2, loss: 1, seconds: 1 });
  await write("whole/config.json", {});
  await write("whole/joint/config.json", { numTrainEpochs: 4 });
  await write("whole/joint/metrics.jsonl", { step: 1, epoch: 1, loss: 2, seconds: 1 });
  await write("whole/tokenizer/config.json", { epochs: 3 });
  await write("whole/tokenizer/metrics.jsonl", { step: 1, seconds: 1 });
  await write("whole/tokenizer/training/metrics.jsonl", { step: 5, loss: 3, seconds: 1 });
  const studio = await Studio.open([join(place, "sids"), join(place, "whole")], [], noModels);
  assert.deepEqual(studio.runs.map(({ facts: { name, task } }) => [name, task]), [
    ["sids", "sid rqvae"],
    ["joint", ""],
    ["tokenizer", ""],
  ]);
  assert.deepEqual(studio.runs.map(({ settings: { epochs, numTrainEpochs } }) => epochs ?? numTrainEpochs), [
    9,
    4,
    3,
  ]);
  for (const [id, loss] of [1, 2, 3].entries()) {
    assert.deepEqual((await studio.log(id, "", 0)).lines, []);
    await Deno.writeTextFile(studio.runs[id].log, "\n", { append: true });
    assert.equal((await studio.log(id, "", 0)).lines[0].loss, loss);
  }
  // A folder of both finds the codebooks too.
  assert.equal((await Studio.open([place], [], noModels)).runs.length, 2);
});

Deno.test("the studio shows evaluations with intervals, and tests pairs against the baseline that is asked for", async () => {
  const { body } = await get("/studio/evaluations");
  assert.equal(body.systems.length, 2);
  assert.equal(body.baseline, body.systems[0]);
  const [good] = body.systems.filter((name: string) => !name.includes("img"));
  const { body: { html, baseline } } = await get(`/studio/evaluations?baseline=${encodeURIComponent(good)}`);
  assert.equal(baseline, good);
  assert.match(html, /0\.7500<small>0\.0000 to 1\.0000<\/small>/);
  assert.match(html, /-0\.7000 .*p &lt;0\.001/, "by item: .75 and .1 / 2");
  // What runs are called is text, and a strict policy refuses styles in the page.
  assert.doesNotMatch(html, /<script|<img|style=/);
  assert.ok(html.includes("&lt;img src=x"));
});

Deno.test("the page comes with a strict policy, and what is asked wrongly is told in JSON", async () => {
  const page = await get("/studio");
  assert.match(
    page.headers.get("Content-Security-Policy")!,
    /default-src 'none'; script-src 'self'; style-src 'self'/,
  );
  assert.doesNotMatch(page.body + (await get("/studio/style.css")).body, /https?:\/\//);
  assert.equal((await get("/")).headers.get("Location"), "/studio");
  const wrong: [path: string, status: number, detail: RegExp][] = [
    ["/studio/log?run=9", 422, /Cannot find run 9: there are 2/],
    ["/studio/log?run=x", 400, /Cannot use run/],
    ["/studio/log", 400, /Cannot use run/],
    ["/studio/gone", 404, /Cannot find \/studio\/gone/],
  ];
  for (const [path, status, detail] of wrong) {
    const found = await get(path);
    assert.equal(found.status, status, path);
    assert.match(found.body.detail, detail);
  }
  assert.deepEqual(faults, []);
});
