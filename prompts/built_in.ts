import type { Templates } from "./template.ts";

/**
 * Our own words, as few as tell the tasks apart: every token of a prompt costs time in training and serving. SIDs follow
 * one another without commas, since each ends by itself.
 */
export const genrecTemplates: Templates = {
  name: "genrec",
  frame: { prompt: ["{instruction}\n", "{input}\n"], target: "{output}{eos}" },
  tasks: {
    "next-item": { instruction: "Next item", input: "{history}", output: "{sid}", join: "" },
    "sid-to-title": { instruction: "Title of", input: "{sid}", output: "{title}" },
    "title-to-sid": { instruction: "Item titled", input: "{title}", output: "{sid}" },
    "history-to-title": {
      instruction: "Title of next item",
      input: "{history}",
      output: "{title}",
      join: "",
    },
    "titles-to-sid": {
      instruction: "Next item after titles",
      input: "{titles}",
      output: "{sid}",
      join: "\n",
    },
    "titles-to-title": {
      instruction: "Next title after titles",
      input: "{titles}",
      output: "{title}",
      join: "\n",
    },
    "description-to-sid": { instruction: "Item described", input: "{description}", output: "{sid}" },
    "sid-to-description": { instruction: "Description of", input: "{sid}", output: "{description}" },
    "preference-to-sid": {
      instruction: "Next item for taste",
      input: "{preference}\n{history}",
      output: "{sid}",
      join: "",
    },
    "reasoning-to-sid": {
      instruction: "Reasons, then next item",
      input: "{history}",
      output: "{reasoning}\n{sid}",
      join: "",
    },
    heterogeneous: {
      instruction: "Next kind and item",
      input: "{user}{context}{history}",
      output: "{sid}",
      join: "",
    },
  },
};

/** {@link genrecTemplates} in the chat template of the checkpoint, for models that were tuned to follow instructions. */
export const chatTemplates: Templates = { ...genrecTemplates, name: "chat", frame: "chat" };
