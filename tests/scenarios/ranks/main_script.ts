// The command line as a rank of the tests runs it: RANK_FAULT says what befalls one of them, such as `1 killed run/latest`,
// the rank, what happens to it, and the file that it waits for; or `1 elsewhere other`: it works in that folder.
import { main } from "../../../tasks/main.ts";
import { settleDevices } from "../../../tasks/_cli/open_devices.ts";
import { launcherOf } from "../../../base/mpi/launcher.ts";

const [rank, fault, file] = (Deno.env.get("RANK_FAULT") ?? "").split(" ");
const isFaulty = fault && Number(rank) === launcherOf((name) => Deno.env.get(name))?.rank;
if (isFaulty && fault === "elsewhere") Deno.chdir(file);
else if (isFaulty) {
  const timer = setInterval(() => {
    try {
      Deno.statSync(file);
    } catch {
      return;
    }
    clearInterval(timer);
    Deno.kill(Deno.pid, fault === "killed" ? "SIGKILL" : "SIGSTOP");
  }, 2);
}
const code = await main(Deno.args);
await settleDevices();
Deno.exit(code);
