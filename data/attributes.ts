import type { Attributes } from "./corpus.ts";
import { badValue, type Place } from "../base/file_error.ts";

/** Reads attributes from their JSON text. Throws `UserError` for anything but an object. */
export function parseAttributes(text: string, place: Place): Attributes {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told below.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Attributes;
  throw badValue({ ...place, column: "attributes" }, "a JSON object", text);
}
