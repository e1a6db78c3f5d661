import { UserError } from "../user_error.ts";
import { gatherJson, type World } from "./world.ts";

/**
 * Throws {@link UserError} unless all ranks say the same of each fact, such as the hash of a file: what they compute
 * together would be of no one's data. It names the first rank and the first fact that differ.
 */
export async function agree(
  world: World,
  doing: string,
  facts: Readonly<Record<string, string>>,
): Promise<void> {
  const all = await gatherJson(world, facts);
  for (const [rank, found] of all.entries()) {
    for (const name of Object.keys({ ...all[0], ...found })) {
      if (found[name] === all[0][name]) continue;
      throw new UserError(
        `Cannot ${doing} on ${world.size} processes: ${name} is ${
          found[name] ?? "missing"
        } on rank ${rank} ` +
          `(${world.places[rank].host}) and ${
            all[0][name] ?? "missing"
          } on rank 0. Start all of them with the same ` +
          "program, settings and files",
      );
    }
  }
}

/** Ranks on the machine of this one. */
export function ranksHere({ rank, places }: World): number {
  return places.filter(({ host }) => host === places[rank].host).length;
}
