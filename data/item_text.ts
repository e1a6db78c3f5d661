import { decodeHTML } from "entities";
import type { Item } from "./dataset.ts";

/** Fields of an item that hold text. */
export const TEXT_FIELDS = ["title", "brand", "categories", "features", "description"] as const;
/** One of {@link TEXT_FIELDS}. */
export type TextField = typeof TEXT_FIELDS[number];

/** How an item becomes one text. */
export interface ItemTextOptions {
  /** What is joined, in this order. Fields that an item lacks are skipped. */
  fields: readonly TextField[];
  /** Longer texts are cut at a space. */
  maxCharacters: number;
}

/** Stands for an item without any text. */
export const NO_TEXT = "unknown item";

/** Text of an item: its cleaned fields as sentences, cut to the length allowed, {@link NO_TEXT} where all are empty. */
export function itemText(item: Item, { fields, maxCharacters }: ItemTextOptions): string {
  const parts = fields.map((field) => cleanText(item[field] ?? "")).filter((part) => part !== "");
  const text = parts.map((part, i) => i < parts.length - 1 && !/[.!?]$/.test(part) ? part + "." : part).join(
    " ",
  );
  return text === "" ? NO_TEXT : truncated(text, maxCharacters);
}

/** Text without HTML tags, with entities decoded and white space collapsed. */
export function cleanText(text: string): string {
  // Entities last: &lt;b&gt; is text about a tag, and 3 &lt; 5 no tag at all.
  return decodeHTML(text.replace(/<\/?[a-z][^<>]*>|<!--[\s\S]*?-->/gi, " ")).replace(/\s+/g, " ").trim();
}

function truncated(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const cut = text.slice(0, maxCharacters + 1);
  const space = cut.lastIndexOf(" ");
  // A cut inside a word may not split a pair of surrogates either.
  return space > 0 ? cut.slice(0, space) : text.slice(0, maxCharacters).replace(/[\ud800-\udbff]$/, "");
}

/** Longest cleaned field that the original keeps. */
const MINIONEREC_LIMIT = 2000;

/**
 * The text that MiniOneRec embeds, for comparisons with its published figures: title and description, each ended by
 * one point, fields of 2000 characters or more lost. Printed lists arrive here parsed, so their brackets are not in it.
 */
export function minionerecText({ title, description }: Item): string {
  const parts = [title, description].filter((part) => part !== undefined && part !== "").map((part) => {
    const clean = cleanText(part!).replaceAll('"', "").replace(/\.+$/, "") + ".";
    return clean.length >= MINIONEREC_LIMIT ? "" : clean;
  }).filter((part) => part !== "");
  return parts.length === 0 ? NO_TEXT : parts.join(" ");
}
