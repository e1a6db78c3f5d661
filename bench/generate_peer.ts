import { fileURLToPath } from "node:url";
import { answersOf } from "./serve.ts";

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
export interface GenerateAnswer {
  milliseconds: number;
  /** (prompts, beams, tokens of a SID) */
  tokens: number[][][];
  /** (prompts, beams): sums of log-probabilities. */
  scores: number[][];
  /** Threads of torch. */
  threads: number;
  /** Peak of the process. */
  residentBytes: number;
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
  const script = fileURLToPath(new URL("./peers/generate.py", import.meta.url));
  const process = new Deno.Command(python, {
    args: [script, folder],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const answers = answersOf<GenerateAnswer>(process.stdout);
  const input = process.stdin.getWriter();
  return {
    async ask(request) {
      await input.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
      const { value, done } = await answers.next();
      if (done) throw new Error(`${python} ${script} ended`);
      return value;
    },
    async close() {
      await input.close();
      await process.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
