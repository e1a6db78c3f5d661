import { UserError } from "../base/user_error.ts";

/** A text with places: pieces taken literally, and names of places. */
export type SlotText = readonly (string | { readonly slot: string })[];

/**
 * Reads a text with places such as `{history}`; `{{` and `}}` stand for single braces.
 * @throws {UserError} for a place that is not in `slots`, or a brace without its other; `where` names the text.
 */
export function parseSlotText(text: string, slots: readonly string[], where: string): SlotText {
  const parts: (string | { slot: string })[] = [];
  let literal = "";
  for (const [piece, name] of text.matchAll(/\{\{|\}\}|\{([A-Za-z_]*)\}|[^{}]+|[{}]/g)) {
    if (name !== undefined && slots.includes(name)) {
      if (literal !== "") parts.push(literal);
      literal = "";
      parts.push({ slot: name });
    } else if (name !== undefined || piece === "{" || piece === "}") {
      throw new UserError(
        `Cannot read ${where}: found ${JSON.stringify(piece)}, expected ` +
          `${slots.map((slot) => `{${slot}}`).join(", ") || "no place at all"}. Write {{ and }} for braces`,
      );
    } else literal += piece === "{{" ? "{" : piece === "}}" ? "}" : piece;
  }
  if (literal !== "") parts.push(literal);
  return parts;
}

/** The text with its places filled; what is put in is taken literally. */
export function fillSlots(text: SlotText, fill: (slot: string) => string): string {
  let filled = "";
  for (const part of text) filled += typeof part === "string" ? part : fill(part.slot);
  return filled;
}
