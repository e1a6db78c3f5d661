// Runs that are stopped, killed and resumed from the command line.
import assert from "node:assert/strict";
import { join } from "node:path";
import { PhiloxStream } from "../../base/philox.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { loadDecoder, loadTrainer } from "../../train/run/checkpoint.ts";
import { readStored } from "../stored_state.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { inSession } from "./_cli/session.ts";
import { genrec, spawn, TINY_SFT, withData, withRun } from "./genrec.ts";

/** TINY_SFT, but of `steps` steps; `flags` win. */
function tiny(steps: number, ...flags: string[]): string[] {
  return [...TINY_SFT, "--max-steps", `${steps}`, "--num-train-epochs", `${steps}`, ...flags];
}

/** Words of the command that `output` says goes on with the run. */
function goOn(output: string): string[] {
  const [, line] = output.match(/Continue with: genrec (.*)/) ?? assert.fail(output);
  return line.split(" ");
}

async function filesOf(dir: string): Promise<Record<string, unknown>> {
  const run = new RunDirectory(join(dir, "run"));
  const latest = await run.checkpoint("latest");
  const log = (await run.read("metrics.jsonl")).trim().split("\n").map((line) => {
    const { seconds: _, ...entry } = JSON.parse(line);
    return entry;
  });
  return {
    log,
    latest: latest.split("/").at(-1),
    best: (await run.read("best")).trim(),
    model: await Deno.readFile(`${latest}/model.safetensors`),
    trainer: await Deno.readFile(`${latest}/trainer.safetensors`),
  };
}

async function waitFor(what: string, found: () => boolean | Promise<boolean>): Promise<void> {
  for (const until = Date.now() + 30_000; !await found();) {
    assert.ok(Date.now() < until, `no ${what} after 30 s`);
    await new Promise((resume) => setTimeout(resume, 5));
  }
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

Deno.test("Ctrl-C stops sft amid a log interval, and the command it prints ends as if nothing had happened", async () => {
  const settings = ["--eval-steps", "300", "--logging-steps", "300", "--save-steps", "10"];
  await withData({}, async (dir) => {
    const args = tiny(300, ...settings);
    const child = spawn(dir, args);
    await waitFor("first checkpoint", () => exists(join(dir, "run/latest")));
    const step = () => Deno.readTextFileSync(join(dir, "run/latest")).match(/\d+/)![0];
    const before = Number(step());
    child.kill("SIGINT");
    const { code, stdout, stderr } = await child.output();
    const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.equal(code, 130, error);
    const steps = Number(step()) - before;
    // A step takes a few milliseconds here, a turn of the event loop comes every 50.
    assert.ok(steps < 200, `${steps} steps after the signal`);
    await loadDecoder(await Device.open(), join(dir, "run/checkpoints", `step-${before + steps}`));

    const resumed = await genrec(dir, goOn(out));
    assert.equal(resumed.code, 0, resumed.stderr);
    await withData({}, async (other) => {
      const whole = await inSession(other, args);
      assert.equal(whole.code, 0, whole.stderr);
      assert.deepEqual(await filesOf(dir), await filesOf(other));
    });
  });
});

Deno.test("sft killed at any moment goes on with --resume to the same bytes", async () => {
  const args = tiny(60, "--eval-steps", "7", "--logging-steps", "5", "--save-steps", "2");
  const random = new PhiloxStream(1, "kill");
  await withData({}, async (dir) => {
    let kills = 0;
    for (let resume = false;; resume = await exists(join(dir, "run/config.json"))) {
      const child = spawn(dir, resume ? [...args, "--resume"] : args);
      let over = false;
      const ended = child.output().finally(() => over = true);
      if (kills < 4) {
        const latest = join(dir, "run/latest");
        const before = await Deno.readTextFile(latest).catch(() => "");
        // The first before its first checkpoint, most likely; the others at some moment after one more.
        if (kills > 0) {
          await waitFor(
            "checkpoint",
            async () => over || await Deno.readTextFile(latest).catch(() => "") !== before,
          );
        } else await waitFor("run", () => exists(join(dir, "run")));
        await new Promise((go) => setTimeout(go, 40 * random.uniform()));
        if (!over) child.kill("SIGKILL");
        kills++;
        await ended;
        if (await exists(latest)) {
          const folder = await new RunDirectory(join(dir, "run")).checkpoint("latest");
          await readStored((await loadTrainer(folder)).arrays);
          await loadDecoder(await Device.open(), folder);
        }
        continue;
      }
      const { code, stderr } = await ended;
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      break;
    }
    await withData({}, async (other) => {
      const whole = await inSession(other, args);
      assert.equal(whole.code, 0, whole.stderr);
      assert.deepEqual(await filesOf(dir), await filesOf(other));
    });
  });
});

Deno.test("sft --resume refuses other settings, SIDs or data than the run's", async () => {
  await withRun(async (dir) => {
    const resume = [...TINY_SFT, "--resume"];
    const refuses = async (args: string[], message: RegExp) => {
      const { code, stderr } = await inSession(dir, args);
      assert.equal(code, 1, stderr);
      assert.match(stderr, message);
    };
    await refuses(
      [...resume, "--dropout", "0.1"],
      /with dropout 0\.1: .* 0\.3\. Use --config run\/config\.json/,
    );
    const index = await Deno.readTextFile(join(dir, "run/index.json"));
    await Deno.writeTextFile(
      join(dir, "other.json"),
      index.replace("<a_2>", "<a_1>").replace("<b_0>", "<b_4>"),
    );
    await refuses([...resume, "--sids", "other.json"], /these SIDs: .*Use --sids run\/index\.json/);
    // The run's own index is another file with the same content.
    const same = await inSession(dir, [...resume, "--sids", "run/index.json"]);
    assert.equal(same.code, 0, same.stderr);
    await Deno.writeTextFile(join(dir, "data/train.csv"), "\n", { append: true });
    await refuses(resume, /data\/train\.csv is not the file that it was started with/);
  });
});

Deno.test("sft --resume refuses a checkpoint that is cut off, not finite or no JSON", async () => {
  await withRun(async (dir) => {
    const folder = await new RunDirectory(join(dir, "run")).checkpoint("latest");
    const changed = async (name: string, change: (bytes: Uint8Array) => Uint8Array, message: RegExp) => {
      const before = await Deno.readFile(join(folder, name));
      await Deno.writeFile(join(folder, name), change(before));
      const { code, stderr } = await inSession(dir, [...TINY_SFT, "--resume"]);
      await Deno.writeFile(join(folder, name), before);
      assert.equal(code, 1, stderr);
      assert.doesNotMatch(stderr, /^ +at /m, "a stack");
      assert.match(stderr, message);
    };
    const cut = (bytes: Uint8Array) => bytes.subarray(0, -5);
    await changed("trainer.safetensors", cut, /trainer\.safetensors: .*should end at byte/);
    await changed("trainer.json", cut, /trainer\.json: expected JSON/);
    await changed(
      "trainer.json",
      () => new TextEncoder().encode('{"step":-1}'),
      /trainer\.json at \["step"\]: /,
    );
    await changed("trainer.safetensors", (bytes) => {
      const arrays = readSafetensors(bytes);
      arrays.get("v")!.data[7] = Infinity;
      return writeSafetensors(arrays);
    }, /trainer\.safetensors: array v holds Infinity at 7/);
    await changed("trainer.safetensors", (bytes) => {
      const arrays = readSafetensors(bytes);
      arrays.delete("m");
      return writeSafetensors(arrays);
    }, /array m has 0 numbers, expected \d+/);
  });
});

Deno.test("sft refuses a model that cannot be built, and makes no run directory", async () => {
  await withData({}, async (dir) => {
    const { code, stderr } = await inSession(dir, tiny(2, "--num-attention-heads", "3"));
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^error: .*num_attention_heads/m);
    assert.equal(await exists(join(dir, "run")), false);
  });
});
