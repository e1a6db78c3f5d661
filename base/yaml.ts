import { parseDocument } from "yaml";
import { UserError } from "./user_error.ts";

/**
 * The value of a YAML or JSON text that `what` names. Throws `UserError` with line and column for what is none: a key that
 * stands twice in one mapping, at any depth, a tag that means nothing here, and aliases that unfold to more than anybody
 * writes are none either.
 */
export function readYaml(text: string, what: string): unknown {
  const document = parseDocument(text);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem?.code === "MULTIPLE_DOCS") {
    throw new UserError(`Cannot read ${what} as YAML: a line --- begins a second document. Keep one a file`);
  }
  if (problem) throw new UserError(`Cannot read ${what} as YAML: ${problem.message.trim()}`);
  try {
    return document.toJS();
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new UserError(
      `Cannot read ${what} as YAML: its aliases (*name) unfold to too much. Write the values out`,
    );
  }
}
