// Writes what is made from the schemas of settings: the interfaces that mod.ts exports, and the tables of docs/settings;
// and the version, since packages of npm do not hold deno.json.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { DECLARATIONS, declarationsText } from "./declarations.ts";
import { settingsPages } from "./settings_pages.ts";

/** Generated texts by path from the root of the repository. */
export async function generated(): Promise<Map<string, string>> {
  const texts = new Map([
    ...DECLARATIONS.map((file) => [file.path, declarationsText(file)] as const),
    ...await settingsPages(),
    ["train/version.generated.ts", versionText(manifest.version)] as const,
  ]);
  const files = [...texts].map(async ([path, text]) => [path, await formatted(text, extname(path))] as const);
  return new Map(await Promise.all(files));
}

function versionText(version: string): string {
  return "// Generated from deno.json by `deno task codegen`: change that, not this file.\n\n" +
    `/** Version of genrec. */\nexport const VERSION: string = ${JSON.stringify(version)};\n`;
}

/** What `deno fmt` makes of a text, so that checks of the repository pass on it. */
async function formatted(text: string, extension: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", extension.slice(1), "-"],
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout, stderr } = await process.output();
  if (!success) throw new Error(`deno fmt: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  await Deno.mkdir(new URL("../../docs/settings/training", import.meta.url), { recursive: true });
  for (const [path, text] of await generated()) {
    await Deno.writeTextFile(new URL(`../../${path}`, import.meta.url), text);
    console.log(`Wrote ${path}`);
  }
}
