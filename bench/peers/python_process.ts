import { fileURLToPath } from "node:url";
import { answersOf } from "../speed/serve.ts";

/** Python with torch and transformers. */
export const PYTHON = Deno.env.get("GENREC_PYTHON") ?? "python3";

/** Runs `bench/python/NAME` to its end. Throws if it fails. */
export async function runPython(name: string, args: string[]): Promise<void> {
  const script = fileURLToPath(new URL(`../python/${name}`, import.meta.url));
  const { code } = await new Deno.Command(PYTHON, { args: ["-B", script, ...args] }).spawn().status;
  if (code !== 0) throw new Error(`${PYTHON} ${script} ended with exit code ${code}`);
}

/** A script of `bench/python/` that answers each line of its input with one line. */
export interface PythonProcess<Answer> {
  ask(line: string): Promise<Answer>;
  /** Ends its input and waits until it has ended. */
  close(): Promise<void>;
}

/** Starts `bench/python/NAME` on the folder that holds its work. */
export function openPython<Answer>(python: string, name: string, folder: string): PythonProcess<Answer> {
  const script = fileURLToPath(new URL(`../python/${name}`, import.meta.url));
  const process = new Deno.Command(python, {
    args: ["-B", script, folder],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const answers = answersOf<Answer>(process.stdout);
  const input = process.stdin.getWriter();
  return {
    async ask(line) {
      await input.write(new TextEncoder().encode(`${line}\n`));
      const { value, done } = await answers.next();
      if (done) throw new Error(`${python} ${script} ended`);
      return value;
    },
    async close() {
      await input.close();
      await process.status;
    },
  };
}
