import type { CorpusParts } from "../corpus_parts.ts";

// What ends a cell or a line in tables of tabs.
const BREAKS = /[\t\r\n]/;

/** Texts of a corpus, by what they are. */
const TEXTS = {
  "titles": ({ items }) => items.map(({ title }) => title),
  "descriptions": ({ items }) => items.map(({ description }) => description),
  "brands": ({ items }) => items.map(({ brand }) => brand),
  "features": ({ items }) => items.map(({ features }) => features),
  "item ids": ({ items }) => items.map(({ id }) => id),
  "user ids": ({ users }) => users.map(({ id }) => id),
} as const satisfies Record<string, (corpus: CorpusParts) => (string | undefined)[]>;

/** Texts that may stand in a table. */
export type TableText = keyof typeof TEXTS;

/**
 * Which texts a table of tabs in `file` cannot hold as they are, each with how many there are: their tabs and line ends
 * become spaces there.
 */
export function brokenTexts(corpus: CorpusParts, texts: readonly TableText[], file: string): string[] {
  return texts.flatMap((name) => {
    const broken = TEXTS[name](corpus).filter((text) => text !== undefined && BREAKS.test(text)).length;
    return broken === 0 ? [] : [`${name} with tabs or line ends (${broken}), which become spaces in ${file}`];
  });
}
