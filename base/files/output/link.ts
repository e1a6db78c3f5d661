import { resolve } from "node:path";
import { UserError } from "../../user_error.ts";

/**
 * Refuses an output that is a link: a new file or folder would take the place of the link and leave what it points to as
 * it was, or of that, which may belong to others. Links further up in the path are the user's way to name a place, and a
 * folder that is written in, not replaced, may be one (`mayBeFolder`).
 */
export async function refuseLinked(output: string, { mayBeFolder = false } = {}): Promise<void> {
  const full = resolve(output); // without a slash at the end, which would follow the link
  const stat = await Deno.lstat(full).catch(() => undefined);
  if (!stat?.isSymlink) return;
  if (mayBeFolder && await Deno.stat(full).then(({ isDirectory }) => isDirectory, () => false)) return;
  const target = await Deno.realPath(full).catch(() => Deno.readLink(full));
  throw new UserError(
    `Cannot write ${output}: it is a link to ${target}, which is not replaced by way of it. Name ${target} itself, or ` +
      "remove the link",
  );
}
