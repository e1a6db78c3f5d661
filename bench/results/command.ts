/** Runs `genrec TASK …` in a process of its own. Throws if it fails. */
export async function runGenrec(args: string[]): Promise<void> {
  console.error(`genrec ${args.join(" ")}`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tasks/main.ts", ...args],
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (code !== 0) throw new Error(`genrec ${args[0]} ended with exit code ${code}`);
}

/** Whether there is such a file or folder. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
