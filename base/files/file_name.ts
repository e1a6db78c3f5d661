import { UserError } from "../user_error.ts";

// Separators of any system, control characters, and what a shell or another system would take for something else.
// deno-lint-ignore no-control-regex
const UNSAFE = /[\/\\\u0000-\u001f\u007f]/;
/** Bytes of a name that every file system takes, with room for an ending. */
const MOST_BYTES = 200;

/** Whether a text can name a file inside a folder, and nothing outside of it. */
export function isFileName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !UNSAFE.test(name) &&
    new TextEncoder().encode(name).length <= MOST_BYTES;
}

/**
 * A name that came out of a file, for use in a path. Throws `UserError`, which says `whose` it is, where it is not the
 * plain name of a file: `../x` would be written outside of the folder.
 */
export function checkFileName(name: string, whose: string): string {
  if (isFileName(name)) return name;
  throw new UserError(
    `Cannot use ${
      JSON.stringify(name.slice(0, MOST_BYTES))
    } as a file name, which is ${whose}: expected a plain name ` +
      `without slashes, of at most ${MOST_BYTES} bytes. Change it where it stands`,
  );
}

/** Whether a path, relative to a folder, stays inside that folder. */
export function isInside(path: string): boolean {
  return path.split("/").every(isFileName);
}
