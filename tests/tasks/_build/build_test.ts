import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHash } from "node:crypto";
import { selfExtracting, windowsArchive } from "../../../tasks/_build/self_extracting.ts";
import { tar } from "../../../tasks/_build/tar.ts";
import { checkPin, denoOf, launcherPins, TARGETS } from "../../../tasks/_build/targets.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const encode = (text: string) => new TextEncoder().encode(text);

/** All that the executable may call on a bare machine: no deno, node or curl. */
const TOOLS = "sh chmod gzip id ln mkdir rm sha256sum tail tar wc ls";

/** Command lines that the executable must run outside the repository, in order, in one folder. */
const COMMANDS: { args: string[]; check(stdout: string): void }[] = [
  {
    args: ["doctor", "--json"],
    check: (stdout) => assert.equal(JSON.parse(stdout).onePlusOne, 2),
  },
  {
    args: ["--help"],
    check: (stdout) => assert.match(stdout, /^Usage: genrec <task>/m),
  },
  {
    args: "sid --data synthetic --codebook-size 32 --starts 1 --iterations 4 --out sids --json".split(" "),
    check: (stdout) => assert.equal(JSON.parse(stdout).distinct, 600),
  },
  {
    args:
      ("sft --data synthetic --sids sids --out run --max-steps 2 --hidden-size 32 --num-hidden-layers 1 " +
        "--eval-samples 0").split(" "),
    check: (stdout) => assert.match(stdout, /^Finished after 2 steps/m),
  },
  {
    args: "evaluate --run run --data synthetic --beams 10 --limit 20 --out eval --json".split(" "),
    check(stdout) {
      const { users, invalid, hr } = JSON.parse(stdout);
      assert.deepEqual([users, invalid, Object.keys(hr)], [20, 0, ["1", "3", "5", "10"]]);
    },
  },
  {
    args: "recommend --run run --data synthetic --history 12,45,77 --top 3 --json".split(" "),
    check: (stdout) => assert.equal(JSON.parse(stdout).recommendations.length, 3),
  },
  {
    args: "export web --run run --data synthetic --out site --json".split(" "),
    check: (stdout) => assert.equal(JSON.parse(stdout).files, 11),
  },
];

/** A folder with an empty home and a PATH of nothing but {@link TOOLS}. */
function bareMachine() {
  const folder = Deno.makeTempDirSync({ prefix: "genrec-build-test-" });
  const [home, bin, work] = ["home", "bin", "work"].map((name) => join(folder, name));
  for (const path of [home, bin, work]) Deno.mkdirSync(path);
  for (const name of TOOLS.split(" ")) {
    const path = ["/usr/bin", "/bin"].map((place) => join(place, name)).find((path) => existsSync(path));
    assert.ok(path, `this machine has no ${name}`);
    Deno.symlinkSync(path, join(bin, name));
  }
  const run = async (file: string, args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(file, {
      args,
      cwd: work,
      clearEnv: true,
      env: { PATH: bin, HOME: home, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  };
  return { folder, home, run, [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

Deno.test("tar() makes archives that the system's tar reads", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const entries = [
      { path: "run", mode: 0o755, bytes: encode("#!/bin/sh\n") },
      { path: "deep/er/empty", mode: 0o644, bytes: new Uint8Array(0) },
      { path: "block", mode: 0o644, bytes: new Uint8Array(512).fill(7) },
    ];
    Deno.writeFileSync(join(folder, "x.tar"), tar(entries));
    const { success } = await new Deno.Command("tar", { args: ["-xf", "x.tar"], cwd: folder }).output();
    assert.ok(success);
    for (const { path, mode, bytes } of entries) {
      assert.deepEqual(Deno.readFileSync(join(folder, path)), bytes);
      assert.equal(Deno.statSync(join(folder, path)).mode! & 0o777, mode);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("tar() refuses paths that its headers cannot hold", () => {
  const entry = { path: "x".repeat(101), mode: 0o644, bytes: new Uint8Array(0) };
  assert.throws(() => tar([entry]), /expected at most 100 bytes/);
});

Deno.test("selfExtracting() runs the same from two processes that start at once", async () => {
  using machine = bareMachine();
  // A shell script in place of Deno: prints where it was told to find the program.
  const deno = { path: "deno", mode: 0o755, bytes: encode('#!/bin/sh\necho "$*"\n') };
  const program = { path: "tasks/main.js", mode: 0o644, bytes: encode("") };
  const file = join(machine.folder, "genrec");
  Deno.writeFileSync(file, selfExtracting([deno, program], "1.2.3", 6), { mode: 0o755 });
  const runs = await Promise.all(Array.from({ length: 8 }, () => machine.run(file, ["doctor", "a b"])));
  for (const { code, stdout, stderr } of runs) {
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^run -A .*\/app\/[0-9a-f]{16}\/tasks\/main\.js doctor a b\n$/);
    assert.equal(stderr, "");
  }
  const app = join(machine.home, ".cache/genrec/app");
  assert.equal([...Deno.readDirSync(app)].length, 2, "the link and the one copy it names");

  // A cache that was half cleaned is unpacked again.
  const copy = [...Deno.readDirSync(app)].find((entry) => entry.isDirectory)!;
  Deno.removeSync(join(app, copy.name, "tasks/main.js"));
  assert.equal((await machine.run(file, [])).code, 0);
});

Deno.test("selfExtracting() files notice that they are damaged and leave nothing behind", async () => {
  using machine = bareMachine();
  const deno = { path: "deno", mode: 0o755, bytes: encode("#!/bin/sh\n") };
  const bytes = selfExtracting([deno], "1.2.3", 6);
  const file = join(machine.folder, "genrec");
  Deno.writeFileSync(file, bytes.subarray(0, -1), { mode: 0o755 });
  const { code, stderr } = await machine.run(file, []);
  assert.equal(code, 1);
  assert.match(stderr, /genrec is damaged: \d+ bytes with sha256 [0-9a-f]{64}, should be \d+ with /);
  assert.deepEqual([...Deno.readDirSync(join(machine.home, ".cache/genrec/app"))], []);
});

Deno.test("selfExtracting() gives equal bytes for equal files", () => {
  const entry = { path: "deno", mode: 0o755, bytes: encode("x") };
  assert.deepEqual(selfExtracting([entry], "1.2.3", 9), selfExtracting([entry], "1.2.3", 9));
});

Deno.test("windowsArchive() has the program beside the command that starts it", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const entries = [
      { path: "deno.exe", mode: 0o755, bytes: encode("MZ") },
      { path: "tasks/main.js", mode: 0o644, bytes: encode("1") },
    ];
    Deno.writeFileSync(join(folder, "genrec.tar.gz"), windowsArchive(entries, 6));
    const args = ["-xzf", "genrec.tar.gz"];
    assert.ok((await new Deno.Command("tar", { args, cwd: folder }).output()).success);
    const command = Deno.readTextFileSync(join(folder, "genrec/genrec.cmd"));
    assert.match(command, /^@"%~dp0deno\.exe" run -A .*"%~dp0tasks\\main\.js" %\*\r\n$/);
    // The same flags as on other systems.
    const flags = (text: string) => / run (-A.*?) "/.exec(text)![1];
    const shell = decode(selfExtracting(entries, "1.2.3", 1)).split("\n").find((line) =>
      line.startsWith("exec")
    )!;
    assert.equal(flags(command), flags(shell));
    assert.equal(Deno.readTextFileSync(join(folder, "genrec/tasks/main.js")), "1");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("every target has a pin of its Deno, and another program is refused", async () => {
  const launcher = Deno.readTextFileSync(join(root, "genrec"));
  const { version, pins } = launcherPins(launcher);
  assert.match(version, /^2\.\d+\.\d+$/);
  for (const [name, target] of Object.entries(TARGETS)) {
    const own = "pin" in target ? target.pin : undefined;
    assert.match(own ?? pins.get(target.triple) ?? "none", /^[0-9a-f]{64}$/, name);
  }
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, B.1
  checkPin("deno", encode("abc"), abc);
  assert.throws(() => checkPin("deno", encode("abd"), abc), {
    name: "UserError",
    message: /its SHA-256 is [0-9a-f]{64}, expected ba7816bf/,
  });
  // Nothing starts in a folder that is not there.
  await assert.rejects(denoOf(TARGETS["linux-arm64"], launcher, "/nowhere", new AbortController().signal), {
    name: "UserError",
    message: `Cannot get @deno/linux-arm64-glibc@${version}: there is no program npm. Install it`,
  });
});

Deno.test("the executable runs every command outside the repository, in an empty home", async (t) => {
  using machine = bareMachine();
  const file = join(machine.folder, "genrec");
  await t.step("genrec build", async () => {
    const args = [
      "run",
      "-A",
      "tasks/main.ts",
      "build",
      "--mode",
      "self-extracting",
      "--level",
      "1",
      "--out",
      file,
    ];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root }).output();
    assert.ok(success, decode(stderr));
    assert.match(decode(stdout), /MB, self-extracting, genrec \d/);
    const sum = createHash("sha256").update(Deno.readFileSync(file)).digest("hex");
    assert.equal(Deno.readTextFileSync(`${file}.sha256`), `${sum}  genrec\n`);
  });
  for (const { args, check } of COMMANDS) {
    await t.step(`genrec ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await machine.run(file, args);
      if (/Cannot find a WebGPU adapter/.test(stderr) && Deno.env.get("REQUIRE_GPU") !== "1") {
        return console.log("skipped: this machine has no WebGPU adapter");
      }
      assert.equal(code, 0, stderr);
      check(stdout);
    });
  }
});
