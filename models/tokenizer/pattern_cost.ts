import { SplitPreTokenizer } from "@huggingface/tokenizers";

/** Part of a regular expression. */
type Node =
  | { kind: "atom"; matches: (character: string) => boolean }
  /** Matches nothing itself: a look around, a border. */
  | { kind: "look"; inside: Node[][] }
  | { kind: "group"; branches: Node[][] }
  | { kind: "repeat"; least: number; most: number; keeps: boolean; body: Node };

// A match that fails tries every way to share out n characters among d repetitions: about n to the power of d.
const MOST_DEGREE = 2;
/** A repetition of at least so many counts as one without end. */
const MANY = 10;

/** Characters that tell apart the classes that tokenizers split by. */
const SAMPLES = [
  ...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)),
  ..."\u0085\u00a0\u3000\u2028\u200d\ufeff\u0301é²À中अ٣Ⅷªʰǅ€«—“😀ß\ue000",
];

/**
 * Why matching a pattern could take time beyond all bounds, in words; undefined where it cannot. Matching goes back and
 * tries again, so a repetition inside a repetition may try 2^n ways to share out n characters. What is said is certain or
 * nearly so: a pattern that only looks the same, and that no known tokenizer has, may be refused with it.
 */
export function endlessReason(pattern: string): string | undefined {
  let branches: Node[][];
  try {
    branches = parsePattern(pattern);
  } catch {
    return undefined; // the library will say what it cannot read
  }
  return reasonIn(branches);
}

function reasonIn(branches: readonly Node[][]): string | undefined {
  for (const sequence of branches) {
    const degree = Math.max(...SAMPLES.map((character) => degreeOf(sequence, character)));
    if (degree > MOST_DEGREE) return `${degree} repetitions in a row may match the same characters`;
    for (const node of sequence) {
      const reason = reasonOf(node);
      if (reason !== undefined) return reason;
    }
  }
}

function reasonOf(node: Node): string | undefined {
  if (node.kind === "look") return reasonIn(node.inside);
  if (node.kind === "group") return reasonIn(node.branches);
  if (node.kind === "atom") return undefined;
  if (node.most >= MANY && !node.keeps && isAmbiguous(node.body)) {
    return "a repetition inside a repetition may match the same characters in many ways";
  }
  return reasonOf(node.body);
}

/** Whether a text of repeated bodies can be cut into them, or matched by them, in more than one way. */
function isAmbiguous(body: Node): boolean {
  if (body.kind !== "group") return body.kind === "repeat" && body.least !== body.most;
  const { branches } = body;
  const firsts = branches.map((sequence) => firstOf(sequence, []));
  if (firsts.some((first, i) => firsts.slice(i + 1).some((other) => overlap(first, other)))) return true;
  const again = new Set(firsts.flatMap((first) => [...first]));
  return branches.some((sequence) => sequence.length === 0 || variesIn(sequence, again));
}

/** Whether a part of varying length may give characters to what follows it; `after` begins what follows them all. */
function variesIn(sequence: readonly Node[], after: ReadonlySet<string>): boolean {
  return sequence.some((node, at) => {
    const follows = firstOf(sequence.slice(at + 1), after);
    if (node.kind === "group") {
      const firsts = node.branches.map((branch) => firstOf(branch, follows));
      return firsts.some((first, i) => firsts.slice(i + 1).some((other) => overlap(first, other))) ||
        node.branches.some((branch) => variesIn(branch, follows));
    }
    if (node.kind !== "repeat" || node.keeps) return false;
    const own = firstOf([node.body], []);
    if (node.least !== node.most && overlap(own, follows)) return true;
    return variesIn([node.body], node.most > 1 ? new Set([...own, ...follows]) : follows);
  });
}

/** Samples that a sequence may begin with; those of `after` too where it may be empty. */
function firstOf(sequence: readonly Node[], after: Iterable<string>): Set<string> {
  const first = new Set<string>();
  for (const node of sequence) {
    for (const character of SAMPLES) if (begins(node, character)) first.add(character);
    if (!isNullable(node)) return first;
  }
  for (const character of after) first.add(character);
  return first;
}

function begins(node: Node, character: string): boolean {
  if (node.kind === "atom") return node.matches(character);
  if (node.kind === "repeat") return node.most > 0 && begins(node.body, character);
  if (node.kind === "look") return false;
  return node.branches.some((branch) => {
    for (const part of branch) {
      if (begins(part, character)) return true;
      if (!isNullable(part)) return false;
    }
    return false;
  });
}

function isNullable(node: Node): boolean {
  if (node.kind === "atom") return false;
  if (node.kind === "look") return true;
  if (node.kind === "repeat") return node.least === 0 || isNullable(node.body);
  return node.branches.some((branch) => branch.every(isNullable));
}

function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return [...a].some((character) => b.has(character));
}

/** Most repetitions in a row among which a run of one character can be shared out. */
function degreeOf(sequence: readonly Node[], character: string): number {
  let most = 0, run = 0;
  for (const node of sequence) {
    if (node.kind === "look") continue;
    const own = node.kind === "group"
      ? Math.max(...node.branches.map((branch) => degreeOf(branch, character)))
      : node.kind === "repeat" && node.most >= MANY && begins(node.body, character)
      ? 1
      : 0;
    if (own > 0) run += own;
    else if (!isNullable(node) && !begins(node, character)) run = 0;
    most = Math.max(most, run);
    if (node.kind === "repeat" && node.keeps) run = 0; // gives nothing back
  }
  return most;
}

const QUANTIFIER = /(?:[*+?]|\{(\d*)(,?)(\d*)\})([?+]?)/y;
const GROUP = /\((?:\?(?:[:>=!]|<[=!]|<\w+>|([a-z-]*)(?=[:)]):?))?/y;
const ESCAPE = /\\(?:[pPxuk]\{[^}]*\}|x[\da-fA-F]{2}|u[\da-fA-F]{4}|[^])/y;

/** The parts of a pattern as Oniguruma writes it, as far as their repetitions go. */
function parsePattern(pattern: string): Node[][] {
  let at = 0;
  const take = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at;
    const found = expression.exec(pattern);
    if (found) at += found[0].length;
    return found;
  };

  function alternatives(ignoreCase: boolean): Node[][] {
    const branches: Node[][] = [[]];
    while (at < pattern.length && pattern[at] !== ")") {
      if (pattern[at] === "|") {
        at++;
        branches.push([]);
        continue;
      }
      const node = repeated(part(ignoreCase));
      if (node !== undefined) branches.at(-1)!.push(node);
    }
    return branches;
  }

  function part(ignoreCase: boolean): Node | undefined {
    const group = take(GROUP);
    if (group) {
      const [opening, flags] = group;
      const inner = alternatives(flags === undefined ? ignoreCase : /^[^-]*i/.test(flags));
      at++; // the closing bracket
      if (/^\(\?<?[=!]/.test(opening)) return { kind: "look", inside: inner };
      const node: Node = { kind: "group", branches: inner };
      return opening === "(?>" ? { kind: "repeat", least: 1, most: 1, keeps: true, body: node } : node;
    }
    const source = pattern[at] === "["
      ? characterClass()
      : take(ESCAPE)?.[0] ?? String.fromCodePoint(pattern.codePointAt(at++)!);
    if (source.length === 2 && source >= "\ud800" && !source.startsWith("\\")) at++; // a pair of code units
    if (/^(?:[\^$]|\\[AbBzZGK])$/.test(source)) return { kind: "look", inside: [] };
    return { kind: "atom", matches: matcher(ignoreCase ? `(?i:${source})` : source) };
  }

  function characterClass(): string {
    const start = at++;
    if (pattern[at] === "^") at++;
    if (pattern[at] === "]") at++;
    while (at < pattern.length && pattern[at] !== "]") {
      if (pattern[at] === "[") characterClass();
      else if (take(ESCAPE) === null) at++;
    }
    at++;
    return pattern.slice(start, at);
  }

  function repeated(node: Node | undefined): Node | undefined {
    for (let found = take(QUANTIFIER); found && node; found = take(QUANTIFIER)) {
      const [text, least, comma, most, more] = found;
      const numbers = text[0] === "{"
        ? {
          least: Number(least || 0),
          most: comma === "" ? Number(least) : most === "" ? Infinity : Number(most),
        }
        : { least: text[0] === "+" ? 1 : 0, most: text[0] === "?" ? 1 : Infinity };
      node = { kind: "repeat", ...numbers, keeps: more === "+" && text[0] !== "{", body: node };
    }
    return node;
  }

  return alternatives(false);
}

/** Tests single characters against a class or character as the library reads it. */
function matcher(source: string): (character: string) => boolean {
  const split = new SplitPreTokenizer({
    type: "Split",
    pattern: { Regex: source },
    behavior: "Isolated",
    invert: false,
  });
  const found = new Set(SAMPLES.filter((character) => {
    const { pattern } = split as unknown as { pattern: RegExp };
    pattern.lastIndex = 0;
    return pattern.exec(character)?.[0] === character;
  }));
  return (character) => found.has(character);
}
