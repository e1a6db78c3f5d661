import { settingsOfTask, type Task, type TaskSetting } from "../_cli/cli.ts";
import { loadTask, registry, type TaskName } from "../registry.ts";

const FOLDER = "docs/settings";
const NOTE = "<!-- Generated from the schemas by `deno task codegen`: change those, not this file. -->\n";

/** Pages of the settings of all tasks, by path from the root of the repository. */
export async function settingsPages(): Promise<Map<string, string>> {
  const names = Object.keys(registry) as TaskName[];
  const tasks = await Promise.all(names.map(loadTask));
  const pages = tasks.map((task) => [`${FOLDER}/${pageOf(task)}`, settingsPage(task)] as const);
  return new Map([[`${FOLDER}/README.md`, indexPage(tasks)], ...pages]);
}

/** File of a task's page; trainings, which report their metrics, have a folder of their own. */
function pageOf({ name, config }: Task): string {
  return "reportTo" in config.shape ? `training/${name}.md` : `${name}.md`;
}

function indexPage(tasks: readonly Task[]): string {
  const rows = tasks.map((task) => ({ ...task, page: pageOf(task) })).map(({ name, summary, page }) =>
    `| [${name}](${page}) | ${cell(summary)} |\n`
  );
  return `${NOTE}
# Settings

What each command takes. A flag such as \`--max-steps\` is the key \`maxSteps\` of a YAML file for \`--config\`; flags win
over the file, and \`extends\` names a file of more keys. Flags of yes and no are \`--flag\` and \`--no-flag\`. Lists are
written with commas on the command line, and as lists in YAML.

| Command | What it does |
| --- | --- |
${rows.join("")}`;
}

/** Tables of a task's settings, one a heading of its help. */
export function settingsPage(task: Task): string {
  const groups = Map.groupBy(settingsOfTask(task), ({ group }) => group ?? "The command");
  const tables = [...groups].map(([group, settings]) => `## ${group}\n\n${table(settings)}`);
  return `${NOTE}\n# genrec ${task.name}\n\n${capital(task.summary)}.\n\n${tables.join("\n")}`;
}

function table(settings: readonly TaskSetting[]): string {
  const rows = settings.map(({ flag, key, text, usual, isRequired }) => {
    const value = isRequired ? "required" : usual === "" ? "" : `\`${usual}\``;
    return `| \`${flag}\` | \`${key}\` | ${cell(value)} | ${cell(text.replace(/[;:]$/, ""))} |\n`;
  });
  return `| Flag | Key | Default | What it is |\n| --- | --- | --- | --- |\n${rows.join("")}`;
}

const capital = (text: string) => text.replace(/^./, (letter) => letter.toUpperCase());

/** Text as a cell shows it: nothing in it is markup but what stands between backticks. */
function cell(text: string): string {
  return text.split(/(`[^`]*`)/).map((part, i) => i % 2 ? part : part.replace(/[<*_[\]]/g, "\\$&")).join("")
    .replaceAll("|", "\\|");
}
