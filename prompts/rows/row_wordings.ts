import type { SftTextRow } from "../../data/formats/mimigenrec/sft_rows.ts";
import type { TaskTemplate } from "../template.ts";

/** Words around the history in rows that ask for the next item. */
export interface RowWording extends TaskTemplate {
  system: string;
  instruction: string;
  /** Rows that have these words. */
  rows: number;
}

/** A text with the SIDs of one history in it. */
export interface LocatedHistory {
  before: string;
  after: string;
  /** What stands between two SIDs; absent where there is one alone. */
  join?: string;
  /** Joined SIDs, oldest first. */
  sids: string[];
}

/** Words of fewer rows than this share are no template, such as those with a user's name in them. */
const SMALLEST_SHARE = 0.01;
/** What stands before, an answer, and what stands after it. */
const ANSWER = /^([\s"']*)(.*?)([\s"']*)$/s;
const TOKENS = /(?:<[a-z]_\d+>)+/g;
const TOKEN = /<[a-z]_\d+>/g;

/**
 * The words in which the rows of a file ask for the next item, most frequent first: system, instruction and input with
 * `{history}` in place of the SIDs. A row counts where its answer is a SID alone and its input holds the SIDs of one
 * history, all with the same text between them. Words of histories go before words that are only seen around one SID,
 * which may ask for something else. `sids` are the joined SIDs of all items. Empty where rows have no words in common.
 */
export function rowWordings(rows: readonly SftTextRow[], sids: readonly string[]): RowWording[] {
  const known = new Set(sids);
  const found = rows.flatMap(({ system, instruction, input, output }) => {
    const answer = ANSWER.exec(output)!;
    const located = known.has(answer[2]) ? locateHistory(input, known) : undefined;
    if (located === undefined) return [];
    const words = {
      system: literal(system),
      instruction: literal(instruction),
      input: inputOf(located),
      output: `${literal(answer[1])}{sid}${literal(answer[3])}`,
    };
    return [{ words, join: located.join }];
  });
  const wordings = [...Map.groupBy(found, ({ words }) => JSON.stringify(words)).values()].flatMap((same) => {
    const joins = Map.groupBy(same.filter(({ join }) => join !== undefined), ({ join }) => join!);
    const counts = [...joins].map(([join, { length }]) => ({ join, count: length }))
      .sort((a, b) => b.count - a.count);
    const alone = same.filter(({ join }) => join === undefined).length;
    if (counts.length === 0) return [{ ...same[0].words, rows: alone, isList: false }];
    // A history of one item looks the same whatever stands between two.
    return counts.map(({ join, count }, i) => ({
      ...same[0].words,
      join,
      rows: count + (i === 0 ? alone : 0),
      isList: true,
    }));
  });
  wordings.sort((a, b) => Number(b.isList) - Number(a.isList) || b.rows - a.rows);
  const least = found.length === 1 ? 1 : Math.max(2, found.length * SMALLEST_SHARE);
  return wordings.filter(({ rows }) => rows >= least).map(({ isList: _, ...wording }) => wording);
}

/**
 * Rows without an instruction, as MIMIGenRec's RL files have them, with the one that the rows of training had around the
 * same input: so a model goes on to be asked in the words that it knows. `words` are those of {@link rowWordings}.
 */
export function withInstructions(
  rows: readonly SftTextRow[],
  words: readonly TaskTemplate[],
  sids: readonly string[],
): SftTextRow[] {
  const known = new Set(sids);
  const instructions = new Map<string, string>();
  for (const { input, instruction = "" } of words) {
    if (!instructions.has(input)) instructions.set(input, unescaped([instruction].flat()[0]));
  }
  return rows.map((row) => {
    const located = row.instruction === "" ? locateHistory(row.input, known) : undefined;
    const instruction = located && instructions.get(inputOf(located));
    return instruction === undefined ? row : { ...row, instruction };
  });
}

/** The SID that an answer is, but for spaces and quotation marks around it; undefined where it is something else. */
export function answeredSid(output: string, known: ReadonlySet<string>): string | undefined {
  const [, , sid] = ANSWER.exec(output)!;
  return known.has(sid) ? sid : undefined;
}

/** The one history of `known` SIDs in a text; undefined where it holds none, others, or several lists. */
export function locateHistory(text: string, known: ReadonlySet<string>): LocatedHistory | undefined {
  const sids: string[] = [], starts: number[] = [], ends: number[] = [];
  for (const { 0: run, index } of text.matchAll(TOKENS)) {
    let at = index;
    for (const sid of sidsIn(run, known) ?? [""]) {
      if (sid === "") return undefined;
      sids.push(sid);
      starts.push(at);
      ends.push(at += sid.length);
    }
  }
  if (sids.length === 0) return undefined;
  const joins = new Set(starts.slice(1).map((start, i) => text.slice(ends[i], start)));
  if (joins.size > 1) return undefined;
  const [join] = joins;
  return { before: text.slice(0, starts[0]), after: text.slice(ends.at(-1)), join, sids };
}

/** SIDs that stand end to end, the longest first where one begins another; undefined where some are unknown. */
function sidsIn(run: string, known: ReadonlySet<string>): string[] | undefined {
  const tokens = run.match(TOKEN)!, sids: string[] = [];
  for (let start = 0, end: number; start < tokens.length; start = end) {
    for (end = tokens.length; !known.has(tokens.slice(start, end).join("")); end--) {
      if (end === start + 1) return undefined;
    }
    sids.push(tokens.slice(start, end).join(""));
  }
  return sids;
}

function inputOf({ before, after }: LocatedHistory): string {
  return `${literal(before)}{history}${literal(after)}`;
}

/** A text as a template says it. */
function literal(text: string): string {
  return text.replace(/[{}]/g, "$&$&");
}

function unescaped(text: string): string {
  return text.replace(/\{\{|\}\}/g, ([brace]) => brace);
}
