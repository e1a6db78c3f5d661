/** How a task is put to the model. */
export interface Wording {
  system: string;
  /** Absent in RL rows, which have no such field. */
  instruction?: string;
  /** With a place for what the task is about, such as `{history}`. */
  input: string;
}

const system =
  "You recommend products. Each product has a code such as <a_1><b_2><c_3>. Answer with the code or the " +
  "title that is asked for and with nothing else.";

/** Tasks in our own words; a model has to be trained on the wording that it is used with. */
export const PROMPTS = {
  /** History of SIDs -> SID. */
  next: {
    system,
    instruction: "Name the code of the product that the customer takes next.",
    input: "Products that the customer took, oldest first: {history}. Which one is next?",
  },
  /** SID -> title. */
  titleOf: {
    system,
    instruction: "Match the code of a product and its title.",
    input: 'What is the title of the product "{sid}"?',
  },
  /** Title -> SID. */
  codeOf: {
    system,
    instruction: "Match the code of a product and its title.",
    input: "Which product has the title {title}?",
  },
  /** History of SIDs -> title. */
  nextTitle: {
    system,
    instruction: "Name the title of the product that the customer takes next.",
    input: "Products that the customer took, oldest first: {history}. What is the title of the next one?",
  },
  /** History of titles -> SID. */
  nextByTitles: {
    system,
    input: "Titles of products that the customer took, oldest first: {titles}. Which product is next?",
  },
  /** Description -> SID. */
  codeOfDescription: { system, input: 'Which product is described like this: "{description}"?' },
} as const satisfies Record<string, Wording>;

/** A text with its one place filled; what is put in is taken literally. */
export function fill(input: string, place: string, text: string): string {
  return input.split(`{${place}}`).join(text);
}
