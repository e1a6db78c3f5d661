/** A path into a GGUF file, as if it were a folder. */
export const INSIDE_GGUF = /^(.*\.gguf)\/+([^/]+)$/i;

/** Whether a path names a GGUF file. */
export function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/** The file on disk of a path that may lead into a GGUF file. */
export function outerPath(path: string): string {
  return INSIDE_GGUF.exec(path)?.[1] ?? path;
}
