import { z } from "zod";

/** A field of a task's schema, as JSON Schema has it. */
export type Property = {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  anyOf?: Property[];
  items?: Property;
  default?: unknown;
  description?: string;
  /** Heading in `--help`, from `.meta({ group })`. */
  group?: string;
  /** Default as `--help` shows it, where the schema has none: it depends on other flags. From `.meta({ usually })`. */
  usually?: string;
  /** Whether it is a word after the task's name, or a list of such words, not a flag. From `.meta({ positional: true })`. */
  positional?: boolean;
  /** What stands between the entries of a list, where they may hold commas. From `.meta({ separator })`. */
  separator?: string;
};

/** Separator of entries that may have several lines: no argument can hold it, so that each flag is an entry as it stands. */
export const WHOLE_FLAG = "\0";

/** What stands between the entries of a list. */
export const separatorOf = ({ separator = "," }: Property) => separator;

/** Fields of a schema by their keys. */
export function propertiesOf(schema: z.ZodObject): Record<string, Property> {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return properties as Record<string, Property>;
}

/** The flag of a config key: `maxSteps` is `--max-steps`. */
export function flagOf(key: string): string {
  return "--" + key.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
}

/** A setting as a command line has it: its flag, or the place of its word. */
export function wordOf(key: string, property?: Property): string {
  return property?.positional ? `<${key}>` : flagOf(key);
}

/** Takes what a positional setting stands for: the next word, or all that are left. Undefined where none is. */
export function takePositional(property: Property, words: string[]): string | string[] | undefined {
  if (!allows(property, "array")) return words.shift();
  return words.length > 0 ? words.splice(0) : undefined;
}

/** What `--help` says of a field: its text, choices and default. */
export function describe(property: Property): string {
  const usual = usualOf(property);
  return [settingText(property), usual && `(default: ${usual})`].filter(Boolean).join(" ");
}

/** What a field is, and its choices where the text names none. */
export function settingText(property: Property): string {
  const words = [property.description ?? ""];
  // What an empty value means is told in words.
  const choices = choicesOf(property).filter((choice) => choice !== "");
  if (choices.length && !choices.every((choice) => words[0].includes(String(choice)))) {
    words.push(`one of ${choices.join(", ")}`);
  }
  return words.filter(Boolean).join("; ");
}

/** Default of a field; "" where it has none or an empty one. */
export function usualOf(property: Property): string {
  const value = property.default ?? property.usually;
  if (value === undefined || value === null) return "";
  return value === true ? "yes" : value === false ? "no" : String(value);
}

function choicesOf(property: Property): unknown[] {
  const own = property.enum ?? (property.const === undefined ? [] : [property.const]);
  return [...own, ...(property.anyOf ?? []).flatMap(choicesOf), ...(property.items?.enum ?? [])];
}

/** What `--help` shows for the value of a flag. */
export function placeholder(property: Property): string {
  // The dots also let a list be several words.
  // Entries that may hold anything stand in a flag each.
  if (["\n", WHOLE_FLAG].includes(separatorOf(property))) return "text";
  if (allows(property, "array")) return ["a", "b..."].join(separatorOf(property));
  if (allows(property, "integer") || allows(property, "number")) return "n";
  return choicesOf(property).length ? "choice" : "text";
}

/** Whether values of a field may be of a type of JSON Schema. */
export function allows(property: Property, type: string): boolean {
  return [property.type].flat().includes(type) || (property.anyOf ?? []).some((one) => allows(one, type));
}

/** The value a flag's text means under the schema; text that fits no narrower type stays text for zod to judge. */
export function coerce(text: string, property: Property): unknown {
  if (allows(property, "array")) {
    const list = property.items ? property : property.anyOf?.find((one) => one.items);
    const separator = separatorOf(property);
    const parts = text === "" ? [] : text.split(separator);
    return parts.map((part) => coerce(separator === WHOLE_FLAG ? part : part.trim(), list?.items ?? {}));
  }
  const numeric = allows(property, "number") || allows(property, "integer");
  // An id of digits that a number would change stays text, where text may be.
  const keepsDigits = !allows(property, "string") ||
    (String(Number(text)) === text.trim() && isInRange(Number(text), property));
  if (numeric && keepsDigits && text.trim() !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (allows(property, "boolean") && /^(true|false)$/.test(text)) return text === "true";
  if (allows(property, "null") && text === "null") return null;
  return text;
}

function isInRange(value: number, { type, minimum = -Infinity, anyOf }: Property): boolean {
  if (anyOf) return anyOf.some((one) => isInRange(value, one));
  return type === "integer"
    ? Number.isInteger(value) && value >= minimum
    : type === "number" && value >= minimum;
}
