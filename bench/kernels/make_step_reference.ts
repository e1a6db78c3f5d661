/** Writes step_reference.json, minutes of float64 loops: deno run -A bench/kernels/make_step_reference.ts */
import { referenceLosses } from "./reference_step.ts";
import { stepWorkload } from "./workload.ts";

const losses: Record<string, number[]> = {};
for (const width of [128, 256]) {
  losses[width] = referenceLosses(stepWorkload(width));
  console.log(width, losses[width]);
}
const file = new URL("./step_reference.json", import.meta.url);
Deno.writeTextFileSync(file, JSON.stringify(losses, null, 2) + "\n");
