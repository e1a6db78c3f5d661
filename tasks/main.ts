import manifest from "../deno.json" with { type: "json" };
import { reportError, runTask, UsageError } from "./_cli/cli.ts";
import { setDriver, settleDevices } from "./_cli/open_devices.ts";
import { didYouMean } from "../base/did_you_mean.ts";
import { worldOf } from "./_cli/ranks.ts";
import { giveUpRights, loadTask, registry, type TaskName } from "./registry.ts";

const HELP = `genrec ${manifest.version}: generative recommendation on WebGPU

Usage: genrec <task> [flags]      genrec <task> --help lists the flags

Tasks:
${Object.entries(registry).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`).join("\n")}`;

/** Runs a command line; resolves to the exit code. */
export async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    console.log(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-V") {
    console.log(`genrec ${manifest.version} (Deno ${Deno.version.deno})`);
    return 0;
  }
  if (!Object.hasOwn(registry, name)) {
    const hint = didYouMean(name, Object.keys(registry));
    return reportError(new UsageError(`Unknown task ${name}${hint || ". See `genrec --help`"}`));
  }
  try {
    // The library of MPI is loaded while there still is the right to.
    const world = await worldOf(name, registry[name as TaskName].worksTogether);
    // Not of a program that calls this, such as a test: it would lose them too.
    if (import.meta.main) giveUpRights(name as TaskName, rest);
    return await runTask(await loadTask(name as TaskName), rest, world);
  } catch (error) {
    return reportError(error);
  }
}

setDriver();

// Exits without device.destroy(), which may crash.
if (import.meta.main) {
  const code = await main(Deno.args);
  await settleDevices();
  Deno.exit(code);
}
