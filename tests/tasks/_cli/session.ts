// Command lines in one process, which loads the program once: what tests of what a command says use, and no tests of the
// process itself, such as its rights, signals and environment.
import { fileURLToPath } from "node:url";

const child = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", fileURLToPath(new URL("./session_child.ts", import.meta.url))],
  env: { NO_COLOR: "1" },
  stdin: "piped",
  stdout: "piped",
  stderr: "piped",
}).spawn();
addEventListener("unload", () => child.kill());

const input = child.stdin.getWriter();
const outputs = [child.stdout, child.stderr].map((stream) =>
  stream.pipeThrough(new TextDecoderStream()).getReader()
);

/** What a stream says until a command ends, and its exit code. */
async function untilEnd(reader: ReadableStreamDefaultReader<string>): Promise<[text: string, code: number]> {
  let text = "";
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) throw new Error(`The session ended:\n${text}`);
    text += value;
    const end = /\0(\d+)\n$/.exec(text);
    if (end) return [text.slice(0, end.index), Number(end[1])];
  }
}

/** Exit code and output of `genrec args` in the folder `cwd`, one after the other. */
export async function inSession(cwd: string, args: string[]) {
  await input.write(new TextEncoder().encode(JSON.stringify({ cwd, args }) + "\n"));
  const [[stdout, code], [stderr]] = await Promise.all(outputs.map(untilEnd));
  return { code, stdout, stderr };
}
