import type { PeerCost } from "../speed/cost.ts";
import { openPython } from "./python_process.ts";

/** How transformers is told which tokens may follow: one call a beam, or all beams looked up at once. */
export type Constraint = "function" | "table";

/** What the process is given once. */
export interface GenerateWork {
  /** Hugging Face directory. */
  model: string;
  /** Token ids of each user's prompt. */
  prompts: readonly Uint32Array[];
  /** Token ids of each SID, all of one length. */
  sids: readonly Uint32Array[];
  /** Beams a prompt, and SIDs that are returned. */
  beams: number;
}

/** Some of the prompts. */
export interface GenerateRequest {
  start: number;
  /** One past the last. */
  end: number;
  /** Prompts a call of `generate()`. */
  batch: number;
  constraint: Constraint;
}

/** SIDs of each prompt, best first. */
export interface GenerateAnswer extends PeerCost {
  /** (prompts, beams, tokens of a SID) */
  tokens: number[][][];
  /** (prompts, beams): sums of log-probabilities. */
  scores: number[][];
}

/** transformers' `generate()` in a Python process of its own. */
export interface GeneratePeer {
  ask(request: GenerateRequest): Promise<GenerateAnswer>;
  close(): Promise<void>;
}

/** Starts `peers/generate.py`; `python` is an interpreter with torch and transformers. */
export async function openGeneratePeer(python: string, work: GenerateWork): Promise<GeneratePeer> {
  const folder = await Deno.makeTempDir();
  const lists = (ids: readonly Uint32Array[]) => ids.map((list) => [...list]);
  await Deno.writeTextFile(
    `${folder}/generate.json`,
    JSON.stringify({ ...work, prompts: lists(work.prompts), sids: lists(work.sids) }),
  );
  const process = openPython<GenerateAnswer>(python, "generate.py", folder);
  return {
    ask: (request) => process.ask(JSON.stringify(request)),
    async close() {
      await process.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
