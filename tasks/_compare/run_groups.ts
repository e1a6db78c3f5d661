import { join } from "node:path";
import { didYouMean } from "../../base/did_you_mean.ts";
import { UserError } from "../../base/user_error.ts";
import type { Credit } from "../../eval/evaluate.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UsageError } from "../_cli/cli.ts";
import { isSameSetting, readRun, type RunFacts } from "./runs.ts";
import { checkPaired, type EvaluationFolder, readEvaluation } from "../_evaluate/evaluation_folder.ts";

/** An evaluation with the run that it is of. */
export interface Member {
  evaluation: EvaluationFolder;
  run: RunFacts;
}

/** A system: evaluations that differ in their seed alone. */
export interface Group {
  name: string;
  members: Member[];
}

/**
 * Reads the evaluations and divides them into systems: those that `groups` names, entries `name=folder` that go on with
 * further folders or patterns of `evals`; the others by their folders' names without the seed.
 * @throws {UserError} where evaluations cannot be compared, or those of a system differ in more than the seed.
 */
export async function openGroups(
  evals: readonly string[],
  groups: readonly string[],
  credit: Credit,
): Promise<Group[]> {
  const wanted = namedFolders(evals.map(plain), groups);
  const named = new Map<string, string | undefined>();
  for (const [folder, name] of wanted) {
    const found = await evaluationIn(folder);
    if (named.has(found)) throw new UserError(`Cannot compare ${found} twice: name each evaluation once`);
    named.set(found, name);
  }
  if (named.size < 2) {
    throw new UserError("Cannot compare fewer than two evaluations: name their folders with --evals");
  }
  const members = new Map<string, Member>();
  for (const folder of named.keys()) {
    const evaluation = await readEvaluation(folder, credit);
    members.set(folder, { evaluation, run: await readRun(evaluation) });
  }
  const [first, ...others] = members.values();
  for (const { evaluation, run } of others) {
    checkPaired(first.evaluation, evaluation);
    checkSameData(first.run, run);
  }
  const names = namesWithoutSeed([...members].map(([folder, { run }]) => ({ folder, seed: run.seed })));
  [...named.keys()].forEach((folder, i) => named.set(folder, named.get(folder) ?? names[i]));
  const found = Map.groupBy(named.keys(), (folder) => named.get(folder)!);
  const result = [...found].map(([name, folders]) => ({
    name,
    members: folders.map((folder) => members.get(folder)!),
  }));
  result.forEach(checkSeeds);
  return result;
}

/** The group of a name. Throws {@link UserError} where there is none. */
export function groupNamed(groups: readonly Group[], name: string): Group {
  const group = groups.find((group) => group.name === name);
  if (group) return group;
  const names = groups.map(({ name }) => name);
  throw new UserError(
    `Cannot use the baseline ${name}: the systems are ${names.join(", ")}${didYouMean(name, names)}`,
  );
}

const plain = (folder: string) => folder.replace(/(?<=.)\/+$/, "");

/** Folders with the name of their group, undefined for those that no group claims. */
function namedFolders(evals: readonly string[], groups: readonly string[]): Map<string, string | undefined> {
  const named = new Map<string, string | undefined>(evals.map((folder) => [folder, undefined]));
  let name = "";
  for (const entry of groups) {
    const at = entry.indexOf("=");
    if (at >= 0) name = entry.slice(0, at).trim();
    const place = plain(entry.slice(at + 1).trim());
    if (name === "" || place === "") {
      throw new UsageError(`Cannot use --group ${entry}: expected name=folder,folder or name=pattern`);
    }
    const folders = place.includes("*") ? evals.filter((folder) => matcher(place).test(folder)) : [place];
    if (folders.length === 0) {
      throw new UserError(
        `Cannot use --group ${name}=${place}: none of --evals fits the pattern; they are ${evals.join(", ")}`,
      );
    }
    for (const folder of folders) {
      const before = named.get(folder);
      if (before !== undefined && before !== name) {
        throw new UserError(`Cannot use ${folder} in ${before} and ${name}: name it in one --group`);
      }
      named.set(folder, name);
    }
  }
  return named;
}

function matcher(pattern: string): RegExp {
  return new RegExp(`^${pattern.split("*").map((part) => RegExp.escape(part)).join(".*")}$`);
}

/** The folder itself, or the one evaluation in a run directory. */
async function evaluationIn(folder: string): Promise<string> {
  const isEvaluation = (path: string) => isFile(join(path, "metrics.json"));
  // What is wrong with a folder that holds neither is told by who reads it.
  if (await isEvaluation(folder) || !await isFile(join(folder, "config.json"))) return folder;
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && await isEvaluation(join(folder, name))) found.push(join(folder, name));
  }
  if (found.length === 1) return found[0];
  throw new UserError(
    found.length === 0
      ? `Cannot compare ${folder}: it is a run without an evaluation. Make one with genrec evaluate --run ${folder}`
      : `Cannot compare ${folder}: it holds several evaluations, ${
        found.sort().join(", ")
      }. Name one of them`,
  );
}

/** Paths without the seed, shortened to the part in which they differ. */
function namesWithoutSeed(folders: readonly { folder: string; seed: number | null }[]): string[] {
  const split = (path: string) => path.split("/").filter((part) => part !== "" && part !== ".");
  const whole = folders.map(({ folder }) => split(folder));
  // Folders that all lie in say nothing of seeds, whatever numbers they have.
  let shared = 0;
  if (new Set(whole.map((part) => part.join("/"))).size > 1) {
    while (whole.every((part) => shared < part.length && part[shared] === whole[0][shared])) shared++;
  }
  const parts = folders.map(({ seed }, i) => {
    const own = whole[i].slice(shared).join("/");
    const seedless = seed === null
      ? own
      : own.replace(new RegExp(`[-_.]?(seed[-_=]?)?(?<!\\d)${seed}(?!\\d)(?=$|[-_./])`, "gi"), "");
    return [...whole[i].slice(0, shared), ...split(seedless)];
  });
  const distinct = new Set(parts.map((part) => part.join("/"))).size;
  const shortest = Math.min(...parts.map(({ length }) => length));
  const same = (at: number) => parts.every((part) => part.at(at) === parts[0].at(at));
  let [start, end] = [0, 0];
  while (distinct > 1 && start < shortest - 1 && same(start)) start++;
  while (distinct > 1 && end < shortest - start - 1 && same(-1 - end)) end++;
  return parts.map((part, i) => part.slice(start, part.length - end).join("/") || folders[i].folder);
}

function checkSameData(first: RunFacts, other: RunFacts): void {
  const refuse = (what: string) => {
    throw new UserError(
      `Cannot compare ${other.path} with ${first.path}: ${what}. Train and evaluate both on the same dataset`,
    );
  };
  if (first.dataset === null || other.dataset === null) return;
  const shared = Object.keys(first.files).filter((name) => name in other.files);
  const changed = shared.find((name) => first.files[name] !== other.files[name]);
  if (changed !== undefined) refuse(`${changed} of its dataset is another file, see the two manifest.json`);
  if (shared.length === 0 && first.dataset !== other.dataset) {
    refuse(`its dataset is ${other.dataset}, that of the other ${first.dataset}, expected the same`);
  }
}

/** How evaluations of one system must agree, besides the settings of their runs. */
const EVALUATION_SETTINGS = [
  "beams",
  "normalisation",
  "repetitionPenalty",
  "weights",
  "maxHistory",
  "maxNewTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
] as const;

function checkSeeds({ name, members: [first, ...others] }: Group): void {
  const seen = new Map([[first.run.seed, first]]);
  for (const member of others) {
    const [here, there] = [member.evaluation.folder, first.evaluation.folder];
    const { seed } = member.run;
    const same = seed === null ? undefined : seen.get(seed);
    const refuse = (key: string, found = "none", expected = "none") => {
      throw new UserError(
        `Cannot take ${here} and ${there} for seeds of ${name}: ${key} is ${found} and ${expected}` +
          `${
            same === first ? `, both with seed ${seed}` : ""
          }, expected runs that differ in their seed alone. Give ` +
          "them groups of their own with --group",
      );
    };
    for (const key of EVALUATION_SETTINGS) {
      const [found, expected] = [member.evaluation.metrics[key], first.evaluation.metrics[key]];
      if (found !== expected) refuse(key, found?.toString(), expected?.toString());
    }
    const [found, expected] = [member.run.settings, first.run.settings];
    for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      if (!isSameSetting(found[key], expected[key])) {
        refuse(key, found[key]?.value, expected[key]?.value);
      }
    }
    if (seed === null) {
      throw new UserError(
        `Cannot take ${here} and ${there} for seeds of ${name}: nothing tells the seed of ${member.run.path}. Give them ` +
          "groups of their own with --group",
      );
    }
    if (same) {
      throw new UserError(
        `Cannot take ${here} and ${same.evaluation.folder} for two seeds of ${name}: both have seed ${seed}. ` +
          "Leave out one of them, or train it with another --seed",
      );
    }
    seen.set(seed, member);
  }
}
