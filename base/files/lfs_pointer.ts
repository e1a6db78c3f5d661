import { UserError } from "../user_error.ts";

// Source: git-lfs docs/spec.md.
const SIGNATURE = new TextEncoder().encode("version https://git-lfs.github.com/spec/v");
const FEWEST = "version ".length;

/** As many bytes of a file as tell a pointer of Git LFS for certain. */
export const LFS_BYTES = SIGNATURE.length;

/**
 * Whether a file that begins with these bytes is what Git leaves in place of a large file where git-lfs is not installed.
 * Of a beginning shorter than {@link LFS_BYTES}, whether it may be one, unless `whole` says that there is no more.
 */
export function isLfsPointer(bytes: Uint8Array, whole = false): boolean {
  if (bytes.length < (whole ? LFS_BYTES : FEWEST)) return false;
  return SIGNATURE.subarray(0, bytes.length).every((byte, at) => byte === bytes[at]);
}

/** The error for a pointer where the file should be. */
export function lfsPointer(path: string): UserError {
  return new UserError(
    `Cannot read ${path}: it is a Git LFS pointer, a few lines in place of the file itself. Install git-lfs and run ` +
      "`git lfs pull` in its repository, or download the file",
  );
}
