// Runs command lines of `genrec` as they come, one JSON object { cwd, args } a line of stdin. Where one ends, stdout and
// stderr have a null character, and its exit code.
import { createInterface } from "node:readline";
import process from "node:process";

for await (const line of createInterface({ input: process.stdin })) {
  // Not before it is needed: most of the start is this.
  const { main } = await import("../../../tasks/main.ts");
  const { cwd, args } = JSON.parse(line);
  Deno.chdir(cwd);
  const end = new TextEncoder().encode(`\0${await main(args)}\n`);
  Deno.stdout.writeSync(end);
  Deno.stderr.writeSync(end);
}
