// Runs command lines of `genrec`, a JSON list in the first argument, one after the other in the folder it is started in.
// Before each it prints `>> number` to stdout, at the end `>> done`.
import { settleDevices } from "../../../tasks/_cli/open_devices.ts";
import { main } from "../../../tasks/main.ts";

for (const [i, line] of (JSON.parse(Deno.args[0]) as string[][]).entries()) {
  console.log(`>> ${i}`);
  const code = await main(line);
  if (code !== 0) Deno.exit(code);
}
console.log(">> done");
await settleDevices();
Deno.exit(0);
