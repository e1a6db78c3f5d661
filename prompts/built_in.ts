import { ALIGNMENT_TASKS } from "./tasks/by_name.ts";
import type { TaskTemplate, Templates } from "./template.ts";

/**
 * Our own words, those of each task in its file, as few as tell the tasks apart: every token of a prompt costs time in
 * training and serving. SIDs follow one another without commas, since each ends by itself. Tasks that a model is asked in
 * evaluation have one instruction, the others several, dealt out to their rows in turn.
 */
export const genrecTemplates: Templates = {
  name: "genrec",
  frame: { prompt: ["{instruction}\n", "{input}\n"], target: "{output}{eos}" },
  tasks: Object.fromEntries(
    ALIGNMENT_TASKS.flatMap(({ name, wording }): [string, TaskTemplate][] =>
      wording ? [[name, wording]] : []
    ),
  ),
};

/** {@link genrecTemplates} in the chat template of the checkpoint, for models that were tuned to follow instructions. */
export const chatTemplates: Templates = { ...genrecTemplates, name: "chat", frame: "chat" };
