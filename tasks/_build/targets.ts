import { basename, join } from "node:path";
import { sha256OfContent } from "../../base/files/sha256.ts";
import { UserError } from "../../base/user_error.ts";

/** A system that executables are built for. */
export interface Target {
  /** As `deno compile --target` names it. */
  triple: string;
  /** Package of npm that holds its Deno. */
  npm: string;
  /** Name of the program in the package. */
  program: "deno" | "deno.exe";
  /** SHA-256 of the program, where the launcher has none: it does not run on that system. */
  pin?: string;
}

/** By the value of `--target`. */
export const TARGETS = {
  "linux-x64": { triple: "x86_64-unknown-linux-gnu", npm: "@deno/linux-x64-glibc", program: "deno" },
  "linux-arm64": { triple: "aarch64-unknown-linux-gnu", npm: "@deno/linux-arm64-glibc", program: "deno" },
  "macos-x64": { triple: "x86_64-apple-darwin", npm: "@deno/darwin-x64", program: "deno" },
  "macos-arm64": { triple: "aarch64-apple-darwin", npm: "@deno/darwin-arm64", program: "deno" },
  "windows-x64": {
    triple: "x86_64-pc-windows-msvc",
    npm: "@deno/win32-x64",
    program: "deno.exe",
    pin: "2ff9493dfa356be2975f477025ea770088e9e9cb2c83d983236d13561b96b7a6",
  },
} as const satisfies Record<string, Target>;

/** Version of Deno, and SHA-256 of its program by target, that the launcher installs; `launcher` is its text. */
export function launcherPins(launcher: string): { version: string; pins: Map<string, string> } {
  const [, version] = /^deno_version=([\d.]+)/m.exec(launcher) ?? [];
  const found = launcher.matchAll(/^ +target=(\S+)\n +pin=([0-9a-f]{64})$/gm);
  if (version === undefined) throw new Error("genrec: expected a line deno_version=");
  return { version, pins: new Map([...found].map(([, triple, pin]) => [triple, pin])) };
}

/**
 * The Deno of a system that is another than this one, from npm; `work` takes the package. Throws {@link UserError} where npm
 * cannot be used, or gives another program than the one that is meant.
 */
export async function denoOf(
  { triple, npm, program, pin }: Target,
  launcher: string,
  work: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { version, pins } = launcherPins(launcher);
  const name = `${npm}@${version}`;
  const run = async (command: string, args: string[]) => {
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    try {
      const { success, stdout, stderr } = await new Deno.Command(command, {
        args,
        cwd: work,
        stdin: "null",
        signal,
      }).output();
      signal.throwIfAborted();
      if (success) return decode(stdout);
      const said = decode(stderr).split("\n").slice(-3).join(" ");
      throw new UserError(`Cannot get ${name}: ${command} says ${said || "nothing"}. Is there a network?`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new UserError(`Cannot get ${name}: there is no program ${command}. Install it`);
    }
  };
  const archive = (await run("npm", ["pack", "--silent", name])).split("\n").at(-1)!;
  await run("tar", ["-xzf", basename(archive), `package/${program}`]);
  const bytes = await Deno.readFile(join(work, "package", program));
  checkPin(name, bytes, pin ?? pins.get(triple));
  return bytes;
}

/** Throws {@link UserError} unless `bytes` have the SHA-256 `pin`. */
export function checkPin(name: string, bytes: Uint8Array, pin: string | undefined): void {
  const found = sha256OfContent(bytes);
  if (found === pin) return;
  throw new UserError(
    `Cannot use the Deno of ${name}: its SHA-256 is ${found}, expected ${pin ?? "one that is known"}`,
  );
}
