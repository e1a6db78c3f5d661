/** Writes a run of Weights & Biases: `deno run -A make_wandb.ts`, in this folder. make_wandb.py reads it. */
import { wandbFile } from "./wandb_run.ts";

await Deno.writeFile("run.wandb", await new Blob(wandbFile() as BlobPart[]).bytes());
