import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { registry } from "../tasks/registry.ts";
import { withFiles } from "./data/formats/minionerec/fixture.ts";

const launcher = fileURLToPath(new URL("../genrec", import.meta.url));

/** What a bare Debian has that the launcher may use; everything else it calls is a stand-in of the test. */
const COREUTILS =
  "sh env cat chmod dirname find grep id ln ls mkdir mktemp mv readlink rm sed tail tee touch uname head gzip";

/** A machine: an empty home, and a PATH that holds the core tools and the test's stand-ins. */
class Machine {
  readonly folder = Deno.makeTempDirSync({ prefix: "genrec-launcher-" });
  readonly home = join(this.folder, "home");
  readonly bin = join(this.folder, "bin");

  constructor() {
    Deno.mkdirSync(this.home);
    Deno.mkdirSync(this.bin);
    for (const name of COREUTILS.split(" ")) {
      const path = ["/usr/bin", "/bin"].map((folder) => join(folder, name)).find((path) => existsSync(path));
      assert.ok(path, `this machine has no ${name}`);
      Deno.symlinkSync(path, join(this.bin, name));
    }
    this.script("curl", `echo "curl $*" >>"${this.folder}/calls"; exit 6`);
  }

  script(name: string, body: string): void {
    const path = join(this.bin, name);
    if (existsSync(path)) Deno.removeSync(path);
    Deno.writeTextFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }

  /** A stand-in for npm that installs the Deno that runs this test. */
  addNpm(): void {
    this.script(
      "npm",
      `echo "npm $*" >>"${this.folder}/calls"
mkdir -p node_modules/@deno/here && ln -s "${Deno.execPath()}" node_modules/@deno/here/deno`,
    );
  }

  addDeno(): void {
    Deno.symlinkSync(Deno.execPath(), join(this.bin, "deno"));
  }

  async run(args: string[], options: { cwd?: string; env?: Record<string, string>; launcher?: string } = {}) {
    const { code, stdout, stderr } = await new Deno.Command(options.launcher ?? launcher, {
      args,
      cwd: options.cwd ?? this.folder,
      clearEnv: true,
      // Packages come from the cache that this test was started with.
      env: {
        PATH: this.bin,
        HOME: this.home,
        DENO_DIR: await denoDir(),
        NO_COLOR: "1",
        GENREC_NO_INSTALL: "1",
        ...options.env,
      },
      stdin: "null",
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  }

  calls(): string {
    const path = join(this.folder, "calls");
    return existsSync(path) ? Deno.readTextFileSync(path) : "";
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

Deno.test("genrec installs Deno through npm into an empty home, once", async () => {
  using machine = new Machine();
  machine.addNpm();
  const first = await machine.run(["--version"]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^genrec \d+\.\d+\.\d+ \(Deno 2\./);
  assert.match(first.stderr, /installing Deno .* into .*\/home\/\.cache\/genrec\/deno/);
  assert.match(first.stderr, /Deno .* is installed \(from npm\)/);
  const calls = machine.calls();
  assert.match(calls, /^curl .*deno\.land[\s\S]*npm install .*deno@2\./);

  const second = await machine.run(["--version"]);
  assert.equal(second.code, 0);
  assert.doesNotMatch(second.stderr, /install/i);
  assert.equal(machine.calls(), calls);
});

Deno.test("genrec says what to do where Deno cannot be installed", async () => {
  using machine = new Machine();
  const { code, stderr } = await machine.run(["--version"]);
  assert.equal(code, 1);
  assert.match(stderr, /cannot install Deno: neither deno\.land \(through curl\) nor npm worked/);
});

Deno.test("genrec passes over a Deno that is too old", async () => {
  using machine = new Machine();
  machine.addNpm();
  machine.script("deno", "echo 'deno 2.7.14 (stable, release, x86_64-unknown-linux-gnu)'");
  const { code, stdout, stderr } = await machine.run(["--version"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /bin\/deno is older than 2\.8: passed over/);
  assert.match(stdout, /^genrec /);
});

Deno.test("genrec works without HOME and through a link", async () => {
  using machine = new Machine();
  machine.addDeno();
  const link = join(machine.folder, "linked");
  Deno.symlinkSync(launcher, link);
  const env = { HOME: "", TMPDIR: machine.folder };
  const { code, stdout, stderr } = await machine.run(["--version"], { env, launcher: link });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^genrec /);
});

Deno.test("genrec keeps the user's folder for relative paths", async () => {
  using machine = new Machine();
  machine.addDeno();
  Deno.writeTextFileSync(join(machine.home, "mine.yaml"), "colour: red\n");
  const { code, stderr } = await machine.run(["doctor", "--config", "mine.yaml"], { cwd: machine.home });
  assert.equal(code, 2);
  assert.match(stderr, /Unknown key colour in mine\.yaml line 1/);
});

/** A folder where anybody may write, with somebody's program in the place of a home that the launcher would make. */
function plantedHome(machine: Machine, mode: number): string {
  const temporary = join(machine.folder, "tmp");
  const planted = join(temporary, `genrec-${Deno.uid()}`);
  for (const bin of [".deno/bin", ".cache/genrec/deno/bin"]) {
    Deno.mkdirSync(join(planted, bin), { recursive: true });
    Deno.writeTextFileSync(join(planted, bin, "deno"), "#!/bin/sh\necho deno 2.99.0\necho PLANTED\n", {
      mode: 0o755,
    });
  }
  Deno.chmodSync(temporary, 0o1777);
  Deno.chmodSync(planted, mode);
  return temporary;
}

Deno.test("genrec runs nothing from a home in TMPDIR that others own or can write to", async () => {
  for (const mode of [0o700, 0o770, 0o707]) {
    using machine = new Machine();
    const TMPDIR = plantedHome(machine, mode);
    if (mode === 0o700) {
      if (Deno.uid() !== 0) continue; // only root can give a folder away
      Deno.chownSync(join(TMPDIR, "genrec-0"), 65534, 65534);
    }
    const { code, stdout, stderr } = await machine.run(["--version"], { env: { HOME: "", TMPDIR } });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /cannot use .*\/genrec-\d+: it belongs to somebody else, or others can write to it\. Remove/,
    );
  }
});

Deno.test("genrec runs nothing from a cache that others own or anybody can write to", async () => {
  using machine = new Machine();
  const cache = join(plantedHome(machine, 0o700), `genrec-${Deno.uid()}`, ".cache/genrec");
  Deno.chmodSync(cache, 0o777);
  const { code, stdout, stderr } = await machine.run(["--version"], { env: { GENREC_CACHE: cache } });
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /cannot use .*: it belongs to somebody else, or anybody can write to it\. Set GENREC_CACHE/,
  );
});

Deno.test("genrec installs no Deno whose SHA-256 is another than the pinned one", async () => {
  using machine = new Machine();
  const planted = "#!/bin/sh\necho deno 2.99.0 PLANTED\n";
  Deno.writeTextFileSync(join(machine.folder, "planted"), planted, { mode: 0o755 });
  for (const name of ["sha256sum"]) {
    const path = ["/usr/bin", "/bin"].map((folder) => join(folder, name)).find((path) => existsSync(path));
    if (path === undefined) return console.log("skipped: this machine has no sha256sum");
    Deno.symlinkSync(path, join(machine.bin, name));
  }
  machine.script(
    "npm",
    `mkdir -p node_modules/@deno/here && mv "${machine.folder}/planted" node_modules/@deno/here/deno`,
  );
  // An archive as gzip reads it.
  machine.script("curl", `for last; do :; done; gzip -c "${machine.folder}/planted" >"$last"`);
  const { code, stdout, stderr } = await machine.run(["--version"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /cannot install Deno/);
  const log = Deno.readTextFileSync(join(machine.home, ".cache/genrec/install.log"));
  assert.equal(log.match(/has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}/g)?.length, 2);
});

/** No driver in sight, apt as root; apt-get fails before `apt-get update`, as on a fresh Debian. */
function withoutDriver(machine: Machine): Record<string, string> {
  machine.addDeno();
  machine.script("id", "echo 0");
  machine.script(
    "apt-get",
    `echo "apt-get $*" >>"${machine.folder}/calls"
case "$*" in
  *update*) touch "${machine.folder}/updated" ;;
  *) [ -e "${machine.folder}/updated" ] ;;
esac`,
  );
  return { XDG_DATA_DIRS: join(machine.folder, "none") };
}

const hasSystemDriver = existsSync("/etc/vulkan/icd.d") &&
  [...Deno.readDirSync("/etc/vulkan/icd.d")].length > 0;

Deno.test("genrec installs Mesa's driver as root, fetching package lists first if need be", async () => {
  if (hasSystemDriver) return console.log("skipped: a driver in /etc/vulkan cannot be hidden");
  using machine = new Machine();
  const env = { ...withoutDriver(machine), GENREC_NO_INSTALL: "" };
  const { code, stderr } = await machine.run(["--version"], { env });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /the Vulkan driver is installed/);
  const steps = machine.calls().trim().split("\n").map((line) => line.match(/(update|install -y).*/)![0]);
  const install = "install -y --no-install-recommends mesa-vulkan-drivers libvulkan1";
  assert.deepEqual(steps, [install, "update", install]);
});

Deno.test("genrec prints the command where it may not install the driver, and does not try again", async () => {
  if (hasSystemDriver) return console.log("skipped: a driver in /etc/vulkan cannot be hidden");
  using machine = new Machine();
  const env = withoutDriver(machine);
  machine.script("id", "echo 1000");
  const first = await machine.run(["--version"], { env });
  assert.equal(first.code, 0);
  assert.match(
    first.stderr,
    /run: sudo apt-get update && sudo apt-get install -y mesa-vulkan-drivers libvulkan1/,
  );
  const second = await machine.run(["--version"], { env: { ...env, GENREC_NO_INSTALL: "" } });
  assert.match(second.stderr, /there is no Vulkan driver/);
  assert.equal(machine.calls(), "");
});

Deno.test("genrec test ends with a plain count and fails when a test or a check does", async () => {
  using machine = new Machine();
  machine.addDeno();
  const project = join(machine.folder, "project");
  Deno.mkdirSync(project);
  Deno.copyFileSync(launcher, join(project, "genrec"));
  Deno.writeTextFileSync(join(project, "deno.json"), "{}\n");
  const path = join(project, "a_test.ts");
  const passing = 'Deno.test("one", () => {});\nDeno.test.ignore("two", () => {});\n';
  const run = (...args: string[]) => machine.run(["test", ...args], { launcher: join(project, "genrec") });

  Deno.writeTextFileSync(path, passing);
  const good = await run();
  assert.deepEqual([good.code, good.stdout.trim().split("\n").at(-1)], [0, "1 passed, 0 failed, 1 skipped"]);

  Deno.writeTextFileSync(path, passing + 'Deno.test("three", () => {\n  throw new Error("no");\n});\n');
  const bad = await run();
  assert.deepEqual([bad.code, bad.stdout.trim().split("\n").at(-1)], [1, "1 passed, 1 failed, 1 skipped"]);
  Deno.writeTextFileSync(path, passing.replace(";", ""));
  const unformatted = await run();
  assert.deepEqual([unformatted.code, unformatted.stdout.trim().split("\n").at(-1)], [
    1,
    "1 passed, 1 failed, 1 skipped",
  ]);

  Deno.writeTextFileSync(path, "const x = ;\n");
  const broken = await run("a_test");
  assert.deepEqual([broken.code, broken.stdout.trim().split("\n").at(-1)], [1, "0 passed, 1 failed"]);
});

Deno.test("genrec test FILTER runs the files with it in their path, or else the tests with it in their name", async () => {
  using machine = new Machine();
  machine.addDeno();
  const project = join(machine.folder, "project");
  Deno.mkdirSync(join(project, "tests", "kernels", "matmul"), { recursive: true });
  Deno.copyFileSync(launcher, join(project, "genrec"));
  Deno.writeTextFileSync(join(project, "deno.json"), "{}\n");
  // Unformatted and with an unused name: a filter asks neither fmt nor lint nor check.
  const write = (path: string, ...names: string[]) =>
    Deno.writeTextFileSync(
      join(project, "tests", path),
      names.map((name) => `Deno.test(${name}, ()=>{ const x: number = "" })\n`).join(""),
    );
  write("kernels/matmul/tiles_test.ts", '"tiles are multiplied"');
  write("kernels/matmul/shared_test.ts", '"shared tiles are multiplied"', '"halves are packed"');
  write("beam_search_test.ts", '"beams are ranked"', '"halves are searched"', '`${"made"} up`');
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await machine.run(["test", ...args], {
      launcher: join(project, "genrec"),
    });
    const said = stderr.split("\n").filter((line) => line.startsWith("genrec: ")).join("\n");
    return [code, stdout.trim().split("\n").at(-1), said.replace("genrec: deno test, ", "")];
  };

  const folder = await run("kernels/matmul");
  assert.deepEqual(folder.slice(0, 2), [0, "3 passed, 0 failed"]);
  assert.match(String(folder[2]), /^files with kernels\/matmul in their path: .*matmul\/tiles_test\.ts/);
  const beams = "files with beam_search in their path: tests/beam_search_test.ts";
  assert.deepEqual(await run("beam_search"), [0, "3 passed, 0 failed", beams]);
  // A source file stands for its tests.
  const tiles = "tests/kernels/matmul/tiles_test.ts";
  assert.deepEqual(await run("./kernels/matmul/tiles.ts"), [
    0,
    "1 passed, 0 failed",
    `files with ./kernels/matmul/tiles.ts in their path: ${tiles}`,
  ]);

  const named = await run("halves are");
  assert.deepEqual(named.slice(0, 2), [0, "2 passed, 0 failed"]);
  assert.match(String(named[2]), /^tests with halves are in their name: /);
  assert.deepEqual(await run("made up"), [
    0,
    "1 passed, 0 failed",
    "tests with made up in their name: all files",
  ]);

  const [code, , said] = await run("beem search");
  assert.equal(code, 2);
  assert.match(
    String(said),
    /Cannot find a test by beem search: .* Type a part of a path, such as `\.\/genrec test/,
  );
  assert.equal((await run("beam", "search"))[0], 2);
});

Deno.test("every shell script is valid for a plain POSIX shell", async () => {
  for (const path of ["genrec", "tasks/_build/self_extracting.sh"]) {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
    const { success, stderr } = await new Deno.Command("sh", { args: ["-n", file] }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    assert.doesNotMatch(Deno.readTextFileSync(file), /\[\[|\blocal |<<<|\bsource /);
  }
});

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** What a process may do after it gave up what a task does not need: the answers to four tries. */
async function triedAs(task: string, args: string[] = []): Promise<string[]> {
  const program = `import { giveUpRights } from ${
    JSON.stringify(new URL("../tasks/registry.ts", import.meta.url).href)
  };
giveUpRights(...JSON.parse(Deno.args[0]));
const tries = {
  net: () => Deno.listen({ port: 0 }).close(),
  run: () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  ffi: () => Deno.dlopen("libc.so.6", {}).close(),
  files: () => Deno.writeTextFileSync("written", Deno.env.get("HOME") ?? ""),
};
const done = [];
for (const [name, go] of Object.entries(tries)) {
  try { go(); done.push(name); } catch (error) { if (error.name !== "NotCapable") throw error; }
}
console.log(done.join(" "));`;
  let said = "";
  await withFiles({ "tries.ts": program }, async (dir) => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", "--no-check", "--config", path("deno.json"), `${dir}/tries.ts`]
        .concat(
          JSON.stringify([task, args]),
        ),
      cwd: dir,
      env: { NO_COLOR: "1" },
    }).output();
    said = new TextDecoder().decode(stdout).trim();
    assert.notEqual(said, "", new TextDecoder().decode(stderr));
  });
  return said.split(" ");
}

Deno.test("a task that needs neither net nor processes nor native code is refused them, and keeps files", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  assert.deepEqual(await triedAs("recommend"), ["files"]);
  assert.deepEqual(await triedAs("evaluate"), ["run", "files"]);
  assert.deepEqual(await triedAs("rl"), ["net", "files"]);
  assert.deepEqual(await triedAs("data"), ["net", "ffi", "files"]);
  assert.deepEqual(await triedAs("bench"), ["net", "run", "ffi", "files"]);
  // Deno opens such a file for programs with all rights alone.
  assert.deepEqual(await triedAs("recommend", ["--file", "/dev/stdin"]), ["net", "run", "ffi", "files"]);
});

Deno.test("Deno takes a right back as a whole alone, so that tasks keep all files and all of the environment", async () => {
  // Where this fails, Deno has learned it: let tasks/registry.ts give up all but what the flags of a task name.
  const program = `const of = (path) => ({ name: "read", path });
const state = ({ state }) => state;
const one = state(Deno.permissions.revokeSync(of("/etc")));
const variable = state(Deno.permissions.revokeSync({ name: "env", variable: "PATH" }));
Deno.permissions.revokeSync({ name: "read" });
const back = state(Deno.permissions.requestSync(of("/etc")));
console.log(JSON.stringify({ one, variable, back }));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", `data:text/javascript,${encodeURIComponent(program)}`],
  }).output();
  assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), {
    one: "granted",
    variable: "granted",
    back: "denied",
  });
});

Deno.test("every way to start a task says that Deno may not ask for rights that the task gave up", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(path("deno.json")));
  for (const name of Object.keys(registry)) {
    assert.equal(tasks[name], `deno run -A --no-prompt tasks/main.ts ${name}`);
  }
  for (const file of ["genrec", "tasks/_build/self_extracting.sh"]) {
    assert.match(await Deno.readTextFile(path(file)), /^ *exec .* run -A --no-prompt /m);
  }
});
