import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { LoggedLine, ObserverContext } from "../../../train/observers/observer.ts";
import { openWandb } from "../../../train/observers/wandb.ts";
import { WandbFile } from "../../../train/observers/wandb_file.ts";
import golden from "../../golden/observers/wandb.json" with { type: "json" };
import { wandbFile } from "../../golden/observers/wandb_run.ts";

const HEADER = 7, BLOCK = 32768;

/** Records in the log format of LevelDB, behind the header of W&B. */
function recordsOf(file: Uint8Array): Uint8Array[] {
  assert.deepEqual([...file.subarray(0, HEADER)], [...new TextEncoder().encode(":W&B"), 0xe1, 0xbe, 0]);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const records: Uint8Array[] = [];
  let parts: number[] | undefined;
  for (let at = HEADER; at < file.length;) {
    const left = BLOCK - at % BLOCK;
    if (left < HEADER) {
      at += left;
      continue;
    }
    const length = view.getUint16(at + 4, true), type = file[at + 6];
    assert.ok(HEADER + length <= left, `frame at ${at} is longer than its block`);
    assert.equal(
      view.getUint32(at, true),
      crc32(file.subarray(at + 6, at + HEADER + length)),
      `frame at ${at}`,
    );
    assert.equal(type === 1 || type === 2, parts === undefined, `frame at ${at} is of type ${type}`);
    parts = [...parts ?? [], ...file.subarray(at + HEADER, at += HEADER + length)];
    if (type === 1 || type === 4) {
      records.push(Uint8Array.from(parts));
      parts = undefined;
    }
  }
  return records;
}

/** Texts of a record, one after the other: enough to see what it says. */
const textOf = (record: Uint8Array) => new TextDecoder().decode(record).replace(/[^ -~]+/g, " ");

async function inFolder(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function context(directory: string, standing: LoggedLine[] = []) {
  const told: string[] = [];
  const context: ObserverContext = {
    directory,
    name: "a",
    config: { seed: 1 },
    project: "shop",
    firstStep: standing.at(-1)?.step ?? 0,
    standing,
    tell: (message) => void told.push(message),
  };
  return { told, context };
}

Deno.test("WandbFile writes the bytes that W&B's reader found a run in", async () => {
  const written = await new Blob(wandbFile() as BlobPart[]).bytes();
  const read = await Deno.readFile(new URL("../../golden/observers/run.wandb", import.meta.url));
  assert.deepEqual(written, read);
  const [{ run }, ...others] = golden;
  assert.deepEqual([run!.run_id, run!.project, run!.entity], ["0a1b2c3d", "shop", "team"]);
  assert.equal(run!.start_time, "2023-11-14T22:13:20.250Z");
  // Step 2 logged twice and has one line.
  assert.deepEqual(others.flatMap(({ history }) => history ? [history.step.num] : []), ["1", "2", "300"]);
  const items = others[2].history!.item.map(({ key, value_json }) => [key, value_json]);
  assert.deepEqual(Object.fromEntries(items)["valid/ndcg10"], '"NaN"');
  assert.deepEqual(others.at(-1)!.exit, { runtime: 5 });
});

Deno.test("WandbFile fills blocks up, whatever is left of them", () => {
  const run = { id: "r", project: "p", name: "n", startedAt: 0 };
  for (let filling = 32_650; filling < 32_720; filling++) {
    const file = new WandbFile();
    const line = { step: 1, values: { loss: "y".repeat(2000) } };
    const bytes = [file.start({ ...run, config: { x: "x".repeat(filling) } }), file.line(line), file.end(1)];
    const records = recordsOf(Uint8Array.from(bytes.flatMap((part) => [...part])));
    assert.equal(records.length, 4);
    assert.match(textOf(records[1]), /y{2000}/);
  }
});

Deno.test("openWandb() offline needs no key and keeps one file over resumptions, of what stands", async () => {
  await inFolder(async (directory) => {
    const options = { mode: "offline", now: () => 1_700_000_000_500 };
    const file = () => {
      const [folder] = [...Deno.readDirSync(`${directory}/wandb`)];
      assert.match(folder.name, /^offline-run-20231114_221320-[0-9a-z]{8}$/);
      const id = folder.name.slice(-8);
      return { path: `${directory}/wandb/${folder.name}/run-${id}.wandb`, id };
    };
    const first = await openWandb(context(directory).context, options);
    await first.log(10, { "train/loss": 3, "train/seconds": 2 });
    await first.log(10, { "valid/ndcg10": 0.25 });
    await first.log(20, { "train/loss": 2, "train/seconds": 4 });
    await first.log(30, { "train/loss": 9, "train/seconds": 6 });
    const { path, id } = file();
    // Killed: step 30 had not come to its end.
    assert.equal(recordsOf(Deno.readFileSync(path)).length, 5);
    Deno.writeTextFileSync(`${path}.synced`, "");

    const { told, context: again } = context(directory, [
      { step: 10, values: { "train/loss": 3, "train/seconds": 2 } },
      { step: 10, values: { "valid/ndcg10": 0.25 } },
    ]);
    const second = await openWandb(again, options);
    await second.log(20, { "train/loss": 1, "train/seconds": 5 });
    await second.close();
    assert.equal(file().id, id);
    const records = recordsOf(Deno.readFileSync(path)).map(textOf);
    assert.equal(records.length, 6);
    assert.match(records[0], new RegExp(`${id}.*shop.*seed.*1`));
    assert.match(records[1], /train\/loss 3 .*valid\/ndcg10 0\.25/);
    assert.match(records[3], /train\/loss 1 /);
    // What it had sent before has changed since.
    assert.equal([...Deno.readDirSync(`${directory}/wandb`)].length, 1);
    assert.throws(() => Deno.statSync(`${path}.synced`), Deno.errors.NotFound);
    assert.match(told[0], /wandb sync .*offline-run-/);
  });
});

interface Asked {
  path: string;
  body: Record<string, unknown>;
}

/** A service that answers as W&B's does; `fault` goes first. */
async function withService(
  fault: (request: Asked, before: number) => Response | Promise<Response> | undefined,
  use: (baseUrl: string, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const hold = Promise.withResolvers<void>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    assert.equal(request.headers.get("Authorization"), `Basic ${btoa("api:key")}`);
    const one = { path: new URL(request.url).pathname, body: await request.json() };
    const wrong = await Promise.race([fault(one, asked.length), hold.promise]);
    asked.push(one);
    if (wrong) return wrong;
    if (one.path !== "/graphql") return Response.json({});
    const { name, project } = one.body.variables as { name: string; project: string };
    const bucket = { name, project: { name: project, entity: { name: "me" } } };
    return Response.json({ data: { upsertBucket: { bucket } } });
  });
  try {
    await use(`http://127.0.0.1:${server.addr.port}`, asked);
  } finally {
    hold.resolve();
    await server.shutdown();
  }
}

const quick = { apiKey: "key", mode: "online", pause: 5, now: () => 1_700_000_000_000 };

Deno.test("openWandb() sends a run, its history and its end, and again as one run when it goes on", async () => {
  await inFolder((directory) =>
    withService(
      (_, before) => before === 1 ? new Response("busy", { status: 503 }) : undefined,
      async (baseUrl, asked) => {
        const { told, context: run } = context(directory);
        const first = await openWandb(run, { ...quick, baseUrl });
        await first.log(10, { "train/loss": 2, "train/seconds": 3 });
        await first.log(10, { "valid/hr10": 0.5 });
        await first.close();
        const { id } = JSON.parse(await Deno.readTextFile(`${directory}/wandb.json`));
        assert.deepEqual(told, [`Metrics go to ${baseUrl}/me/shop/runs/${id}`]);
        const { name, displayName, config } = asked[0].body.variables as Record<string, string>;
        assert.deepEqual([name, displayName, JSON.parse(config)], [id, "a", { seed: { value: 1 } }]);
        // The answer 503 made it say the same again.
        const { files, ...end } = asked.at(-1)!.body as {
          files: Record<string, { offset: number; content: string[] }>;
        };
        assert.equal(asked.at(-1)!.path, `/files/me/shop/${id}/file_stream`);
        assert.deepEqual(end, { complete: true, exitcode: 0 });
        const line = {
          "train/loss": 2,
          "train/seconds": 3,
          "valid/hr10": 0.5,
          _step: 10,
          _runtime: 3,
          _timestamp: 1_700_000_000,
        };
        assert.equal(files["wandb-history.jsonl"].offset, 0);
        assert.deepEqual(files["wandb-history.jsonl"].content.map((text) => JSON.parse(text)), [line]);

        asked.length = 0;
        const { context: more } = context(directory, [{
          step: 10,
          values: { "train/loss": 2, "train/seconds": 3 },
        }]);
        const second = await openWandb(more, { ...quick, baseUrl });
        await second.log(20, { "train/loss": 1, "train/seconds": 6 });
        await second.close();
        assert.equal((asked[0].body.variables as { name: string }).name, id);
        const sent = asked.flatMap(({ body }) => {
          const part = (body.files as typeof files | undefined)?.["wandb-history.jsonl"];
          return part ? part.content.map((text, i) => [part.offset + i, JSON.parse(text)._step]) : [];
        });
        assert.deepEqual(Object.fromEntries(sent), { 0: 10, 1: 20 });
      },
    )
  );
});

for (
  const [what, fault, reason] of [
    ["refuses the key", () => new Response("invalid key", { status: 401 }), /answered 401 invalid key/],
    ["has no such project", () => Response.json({ errors: [{ message: "no project" }] }), /no project/],
    ["never answers", () => new Promise<Response>(() => {}), /did not answer for 0\.1 s/],
    ["stays broken", () => new Response("down", { status: 500 }), /answered 500 down/],
  ] as const
) {
  Deno.test(`openWandb() with a service that ${what} is one line, and training goes on`, async () => {
    await inFolder((directory) =>
      withService(fault, async (baseUrl) => {
        const { told, context: run } = context(directory);
        const observer = await openWandb(run, { ...quick, baseUrl, patience: 100, attempts: 3 });
        await observer.log(1, { "train/loss": 1 });
        await observer.log(2, { "train/loss": 1 });
        await observer.close();
        assert.equal(told.length, 1, told.join("; "));
        assert.match(told[0], reason);
      })
    );
  });
}

Deno.test("openWandb() does nothing where it is disabled, and refuses other modes", async () => {
  await inFolder(async (directory) => {
    const { context: run } = context(directory);
    const observer = await openWandb(run, { mode: "disabled" });
    await observer.log(1, { "train/loss": 1 });
    await observer.close();
    assert.deepEqual([...Deno.readDirSync(directory)], []);
    await assert.rejects(
      openWandb(run, { mode: "on" }),
      /WANDB_MODE is on, expected online, offline or disabled/,
    );
  });
});
