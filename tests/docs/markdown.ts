// What the tests of the documentation read from its pages.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** A fenced block: `info` is what stands after the backticks. */
export interface Fence {
  page: string;
  /** Line of the page that opens it, from 1. */
  line: number;
  info: string;
  text: string;
}

/** A command line in a page, split in words. */
export interface Command {
  page: string;
  line: number;
  words: string[];
}

/** Every page of the documentation by its path. */
export function pages(): Record<string, string> {
  const top = readdirSync(root).filter((name) => name.endsWith(".md"));
  const below = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  return Object.fromEntries(
    [...top, ...below].sort().map((path) => [path, readFileSync(join(root, path), "utf8")]),
  );
}

/** The fenced blocks of a page, in order; those in lists lose their indent. */
export function fencesOf(page: string, text: string): Fence[] {
  const fences: Fence[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const [, indent, info] = /^(\s*)```(.*)$/.exec(lines[i]) ?? [];
    if (info === undefined) continue;
    const end = lines.findIndex((line, j) => j > i && line === `${indent}\`\`\``);
    if (end < 0) throw new Error(`${page}:${i + 1}: a block that nothing closes`);
    const body = lines.slice(i + 1, end).map((line) => line.slice(indent.length));
    fences.push({ page, line: i + 1, info, text: body.join("\n") + "\n" });
    i = end;
  }
  return fences;
}

/** The command lines of a block, as a shell reads them: `\` at the end goes on, `#` starts a comment, quotes hold words. */
export function commandsOf({ page, line, text }: Pick<Fence, "page" | "line" | "text">): Command[] {
  const commands: Command[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const first = i;
    let command = lines[i];
    while (command.endsWith("\\")) command = command.slice(0, -1) + lines[++i];
    const words = wordsOf(command);
    if (words.length > 0) commands.push({ page, line: line + 1 + first, words });
  }
  return commands;
}

function wordsOf(command: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (const character of command) {
    if (quote !== "") {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "#" && word === undefined) {
      break;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The programs of docs/guides/library.md, in their order. */
export function libraryPrograms(): { name: string; text: string }[] {
  const page = "docs/guides/library.md";
  return fencesOf(page, pages()[page]).filter(({ info }) => /^ts \S+\.ts$/.test(info))
    .map(({ info, text }) => ({ name: info.slice(3), text }));
}

/** Pages whose blocks run, in the order in which a reader follows them: later ones use what earlier ones made. */
export const TOUR: readonly string[] = [
  "docs/getting_started.md",
  "docs/data.md",
  "docs/guides/tutorial.md",
  "docs/semantic_ids.md",
  "docs/language_models.md",
  "docs/reinforcement.md",
  "docs/baselines.md",
  "docs/evaluation.md",
  "docs/guides/browser.md",
  "docs/coming_from/minionerec.md",
  "docs/coming_from/mimigenrec.md",
  "docs/coming_from/etegrec.md",
  "README.md",
];
