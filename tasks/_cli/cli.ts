import { dirname, isAbsolute, join } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { z } from "zod";
import { didYouMean } from "../../base/did_you_mean.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import { OutputLock } from "../../base/files/output/lock.ts";
import { UserError } from "../../base/user_error.ts";
import { readYaml } from "../../base/yaml.ts";
import { DeviceError } from "../../kernels/gpu/device_error.ts";
import {
  allows,
  coerce,
  describe,
  flagOf,
  placeholder,
  propertiesOf,
  type Property,
  separatorOf,
  settingText,
  takePositional,
  usualOf,
  wordOf,
} from "./command/property.ts";
import { unlessHungUp, withSignals } from "./process/signals.ts";
import { type Progress, startProgress } from "./progress.ts";
import { endRanks, ranksLine } from "./ranks.ts";

/**
 * One command: its flags, `--help` and `--config` keys are the fields of `config`, a flat `z.strictObject`. `config`,
 * `extends` and `json` are taken. What `out` names is locked while it runs, unless `dryRun` is set.
 */
export interface Task<S extends z.ZodObject = z.ZodObject> {
  name: string;
  /** One line for `genrec --help`. */
  summary: string;
  /** Command lines without the program's name, such as `sft --data builtin --out runs/a`. */
  examples?: string[];
  config: S;
  /** Set where it goes on until it is told to stop: then that is no failure, and SIGHUP is the task's own. */
  isService?: true;
  /**
   * What a `--config` file that another program is told by means here; undefined for any other file. `keys` are those of
   * `config`. Throws `UserError` for what has no meaning here.
   */
  translate?(
    content: Readonly<Record<string, unknown>>,
    file: string,
    keys: readonly string[],
  ): ForeignConfig | undefined;
  run(config: z.output<S>, io: TaskIO): Promise<void>;
}

/** The settings that another program's file stands for. */
export interface ForeignConfig {
  settings: Record<string, unknown>;
  /** Lines about what was made of it. */
  notes: string[];
}

/** What a task may use of the terminal, besides stdout under `--json`. */
export interface TaskIO {
  /** A line for people: stdout, or stderr under `--json`, where stdout is the task's JSON alone. */
  log(line: string): void;
  progress(total: number, label: string): Progress;
  /** Aborted by Ctrl-C, SIGTERM and SIGHUP; the task saves and returns. A second one ends the process at once. */
  signal: AbortSignal;
  json: boolean;
  /** The processes that share the work, where the task is for several. Only the first one's lines are shown. */
  world: World;
}

/** A command line or config file that does not fit the schema; the command line exits with 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

interface Parsed<S extends z.ZodObject> {
  config: z.output<S>;
  json: boolean;
  /** What the config file says that a user should know. */
  notes: string[];
}

/** Runs `task` with command line words `args`; resolves to the exit code. An error of a rank ends all of `world`. */
export async function runTask(task: Task, args: string[], world: World = ALONE): Promise<number> {
  try {
    const parsed = parseArgs(task, args);
    if (!parsed) {
      await world.leave();
      return 0;
    }
    const { out, dryRun } = parsed.config as { out?: unknown; dryRun?: unknown };
    const code = await withSignals(task.isService ?? false, async (signal) => {
      await using _lock = world.rank === 0 && typeof out === "string" && out !== "" && dryRun !== true
        ? await OutputLock.take(out, task.name)
        : undefined;
      const io = taskIO(parsed.json, signal, world);
      if (world.size > 1) io.log(ranksLine(world));
      parsed.notes.forEach((note) => io.log(note));
      await task.run(parsed.config, io);
    });
    await world.leave();
    return code;
  } catch (error) {
    if (world.size > 1) await endRanks(world, () => reportError(error));
    return reportError(error);
  }
}

/** Prints `error` to stderr as the command line does: a message for the user's mistakes, a stack for ours. */
export function reportError(error: unknown): number {
  if (error instanceof UsageError || error instanceof UserError || error instanceof DeviceError) {
    console.error(`error: ${error.message}`);
    return error instanceof UsageError ? 2 : 1;
  }
  if (isOutOfMemory(error)) {
    console.error(
      `error: Cannot go on: there is not enough memory (${
        (error as Error).message
      }). Use a smaller model, smaller ` +
        "batches, SIDs with fewer codewords, or another machine",
    );
    return 1;
  }
  console.error(error);
  return 1;
}

/** Whether the engine refused to allocate an array, for want of memory or since none may be so long. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof RangeError &&
    /^(Array buffer allocation failed|Invalid typed array length: \d|Invalid array buffer length)/.test(
      error.message,
    );
}

/**
 * Flags over `--config` file over defaults. Undefined after `--help`, which prints.
 * Throws {@link UsageError} for an unknown flag, key or value, {@link UserError} for an unreadable file.
 */
export function parseArgs<S extends z.ZodObject>(task: Task<S>, args: string[]): Parsed<S> | undefined {
  const properties = propertiesOf(task.config);
  const command = commandOf(task, properties);
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    const [first, ...rest] = error.message.replace(/^error: /, "").split("\n");
    const words = [
      first.replace(/^./, (c) => c.toUpperCase()),
      ...rest.map((s) => s.replace(/^\(|\)$/g, "")),
    ];
    throw new UsageError(`${words.join(". ")}${rest.length ? "" : `. See \`genrec ${task.name} --help\``}`);
  }
  const options = command.opts() as Record<string, unknown>;
  const words = [...command.args];
  const file = options.config as string | undefined;
  const notes: string[] = [];
  const fromFile = file === undefined ? {} : readConfig(file, task, Object.keys(properties), notes);
  const fromFlags: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(properties)) {
    const value = property.positional ? takePositional(property, words) : options[key];
    if (value !== undefined) fromFlags[key] = typeof value === "string" ? coerce(value, property) : value;
  }
  const result = task.config.safeParse({ ...fromFile, ...fromFlags });
  if (!result.success) {
    const lines = result.error.issues.map((issue) => {
      const key = String(issue.path[0] ?? "");
      if (key in fromFlags) {
        return `Cannot use ${wordOf(key, properties[key])} ${
          options[key] ?? fromFlags[key]
        }: ${issue.message}`;
      }
      if (key in fromFile) return `Cannot use ${key} in ${file}: ${issue.message}`;
      if (issue.code === "custom" || !key) return issue.message;
      return `Missing ${wordOf(key, properties[key])}: ${properties[key]?.description ?? issue.message}`;
    });
    throw new UsageError(`${lines.join("\n")}. See \`genrec ${task.name} --help\``);
  }
  return { config: result.data, json: options.json === true, notes };
}

function commandOf(task: Task, properties: Record<string, Property>): Command {
  const command = new Command(`genrec ${task.name}`)
    .description(task.summary)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .configureHelp({ helpWidth: 110 });
  for (const [key, property] of Object.entries(properties)) {
    const flag = flagOf(key);
    const text = describe(property);
    if (property.positional) {
      command.argument(allows(property, "array") ? `[${key}...]` : `[${key}]`, text);
      continue;
    }
    const option = (flags: string) => {
      const made = new Option(flags, text);
      if (allows(property, "array")) {
        made.argParser((value, before?: string) =>
          before === undefined ? value : before + separatorOf(property) + value
        );
      }
      command.addOption(property.group === undefined ? made : made.helpGroup(`${property.group}:`));
    };
    if (allows(property, "boolean") && !allows(property, "string")) {
      option(flag);
      command.addOption(new Option(flag.replace("--", "--no-"), "").hideHelp());
    } else if (!allows(property, "object")) {
      option(`${flag} <${placeholder(property)}>`);
    }
  }
  command.option(
    "--config <file>",
    "YAML file with any of these keys, in camelCase; flags win. `extends` names a file of more",
  );
  command.option("--json", "print machine-readable JSON where the task has any");
  const examples = task.examples?.map((line) => `  genrec ${line}`).join("\n");
  if (examples) command.addHelpText("after", `\nExamples:\n${examples}`);
  return command;
}

/** A setting of a task, as the help and the docs show it. */
export interface TaskSetting {
  /** Key in a `--config` file. */
  key: string;
  flag: string;
  /** Heading; undefined for those of the command itself. */
  group?: string;
  /** What it is, and its choices. */
  text: string;
  /** Default; "" where it has none or an empty one. */
  usual: string;
  isRequired: boolean;
}

/** Settings of a task that have a flag, in the order of its schema. */
export function settingsOfTask({ config }: Pick<Task, "config">): TaskSetting[] {
  const { required = [] } = z.toJSONSchema(config, { io: "input", unrepresentable: "any" });
  return Object.entries(propertiesOf(config)).filter(([, property]) => !allows(property, "object")).map((
    [key, property],
  ) => ({
    key,
    flag: wordOf(key, property),
    group: property.group,
    text: settingText(property),
    usual: usualOf(property),
    isRequired: required.includes(key),
  }));
}

/** Values of a config file, over those of the file beside it that its key `extends` names. */
function readConfig(
  file: string,
  task: Pick<Task, "name" | "translate">,
  keys: string[],
  notes: string[],
  below: string[] = [],
): Record<string, unknown> {
  if (below.includes(file)) {
    throw new UserError(`Cannot read config ${file}: it extends itself, by way of ${below.join(" and ")}`);
  }
  const text = readConfigText(file);
  const content = readYaml(text, `config ${file}`);
  if (content === null) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new UserError(`Cannot read config ${file}: expected lines such as \`maxSteps: 100\``);
  }
  const foreign = task.translate?.(content as Record<string, unknown>, file, keys);
  if (foreign) {
    notes.push(...foreign.notes);
    return foreign.settings;
  }
  const { extends: base, ...own } = content as Record<string, unknown>;
  for (const key of Object.keys(own)) {
    if (keys.includes(key)) continue;
    const line = text.split("\n").findIndex((row) => row.trimStart().startsWith(key)) + 1;
    const place = line === 0 ? file : `${file} line ${line}`;
    throw new UsageError(
      `Unknown key ${key} in ${place} for genrec ${task.name}${didYouMean(key, keys)}`,
    );
  }
  if (base === undefined) return own;
  if (typeof base !== "string") {
    throw new UserError(
      `Cannot read config ${file}: extends is ${JSON.stringify(base)}, expected a file name`,
    );
  }
  return {
    ...readConfig(isAbsolute(base) ? base : join(dirname(file), base), task, keys, notes, [...below, file]),
    ...own,
  };
}

function readConfigText(file: string): string {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(file);
  } catch (error) {
    throw new UserError(`Cannot read config ${file}: ${(error as Error).message}. Check the path`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(
      `Cannot read config ${file}: expected UTF-8 text, found other bytes. Convert the file to UTF-8`,
    );
  }
}

function taskIO(json: boolean, signal: AbortSignal, world: World): TaskIO {
  const isTerminal = Deno.stderr.isTerminal();
  return {
    json,
    signal,
    world,
    log(line) {
      if (world.rank > 0) return;
      // Clears what is left of a progress bar in this row.
      unlessHungUp(() => {
        if (isTerminal) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
        json ? console.error(line) : console.log(line);
      });
    },
    progress(total, label) {
      if (world.rank > 0) return { update() {}, stop() {} };
      const write = (text: string) =>
        unlessHungUp(() => Deno.stderr.writeSync(new TextEncoder().encode(text)));
      return startProgress(total, label, { isTerminal, write, now: () => performance.now() });
    },
  };
}
