import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../base/user_error.ts";

/** Files of another commit, in a folder that is removed in the end. */
export interface Checkout extends AsyncDisposable {
  /** Seven digits. */
  readonly commit: string;
  readonly folder: string;
}

/** Folder of this project's sources; undefined in the single executable, which does not carry them. */
export function sourceFolder(): string | undefined {
  return import.meta.url.startsWith("file:") ? fileURLToPath(new URL("../..", import.meta.url)) : undefined;
}

/**
 * Lays the files of `name` (a commit, branch or tag of the repository at `root`) into a folder of their own, a worktree
 * of git. Throws {@link UserError} where there is no repository or no such commit.
 */
export async function checkOut(name: string, root: string | undefined = sourceFolder()): Promise<Checkout> {
  if (!root) {
    throw new UserError(
      `Cannot measure against ${name}: the executable carries no sources. Run ./genrec bench in a checkout`,
    );
  }
  // "--" could not end the options here: what looks like one is no commit.
  const found = name.startsWith("-")
    ? undefined
    : await git(root, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]);
  if (found === undefined) {
    throw new UserError(
      `Cannot measure against ${name}: no such commit in ${root}. Name a commit, branch or tag that \`git log\` shows`,
    );
  }
  const parent = await Deno.makeTempDir({ prefix: "genrec-against-" });
  const folder = join(parent, "genrec");
  const remove = async () => {
    await git(root, ["worktree", "remove", "--force", folder]);
    await Deno.remove(parent, { recursive: true });
  };
  // Hooks of the repository are for work on it, not for a copy that is read.
  const laid = await git(root, [
    "-c",
    "core.hooksPath=/dev/null",
    "worktree",
    "add",
    "--detach",
    folder,
    found,
  ]);
  if (laid === undefined || !existsSync(folder)) {
    await remove();
    throw new UserError(
      `Cannot measure against ${name}: git could not lay its files into ${folder}. Look for space there`,
    );
  }
  return { commit: found.slice(0, 7), folder, [Symbol.asyncDispose]: remove };
}

/** What git prints, or undefined where it fails or is not installed. */
async function git(root: string, args: string[]): Promise<string | undefined> {
  try {
    const command = new Deno.Command("git", { args: ["-C", root, ...args], stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
