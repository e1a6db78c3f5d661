import { byName } from "../../base/by_name.ts";
import * as registry from "./registry.ts";
import type { AlignmentTask, TaskInput } from "./task.ts";

/** Every task of supervised fine-tuning, in the order of their names. */
export const ALIGNMENT_TASKS: readonly AlignmentTask[] = Object.values(registry);

/** The task of a name. Throws `UserError` listing all where there is none; `use` is what then fails. */
export function alignmentTask(name: string, use = "train on task"): AlignmentTask {
  return byName(ALIGNMENT_TASKS, name, { use, kind: "task" });
}

/** Tokens beyond those of the index that tasks need, to add to a tokenizer after the index's. */
export function taskTokens(names: Iterable<string>, input: Pick<TaskInput, "dataset" | "rows">): string[] {
  return [...new Set([...names].flatMap((name) => alignmentTask(name).tokens?.(input) ?? []))];
}
