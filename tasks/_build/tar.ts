/** A file of an archive: path below its root, mode such as 0o755. */
export interface TarEntry {
  path: string;
  mode: number;
  bytes: Uint8Array;
}

const BLOCK = 512;

/**
 * POSIX ustar archive of regular files. Holds no times or owners, so equal files give equal bytes.
 * Throws RangeError for a path over 100 bytes, which the format's short form cannot hold.
 */
export function tar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const padded = (length: number) => Math.ceil(length / BLOCK) * BLOCK;
  const total = entries.reduce((sum, { bytes }) => sum + BLOCK + padded(bytes.length), 2 * BLOCK);
  const archive = new Uint8Array(total);
  let at = 0;
  for (const entry of entries) {
    archive.set(header(entry), at);
    archive.set(entry.bytes, at + BLOCK);
    at += BLOCK + padded(entry.bytes.length);
  }
  return archive;
}

function header({ path, mode, bytes }: TarEntry): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const encoder = new TextEncoder();
  const name = encoder.encode(path);
  if (name.length > 100) throw new RangeError(`tar() cannot hold path ${path}: expected at most 100 bytes`);
  const octal = (value: number, digits: number) =>
    encoder.encode(value.toString(8).padStart(digits, "0") + "\0");
  block.set(name, 0);
  block.set(octal(mode, 7), 100);
  block.set(octal(0, 7), 108); // owner
  block.set(octal(0, 7), 116); // group
  block.set(octal(bytes.length, 11), 124);
  block.set(octal(0, 11), 136); // time
  block.set(encoder.encode("        "), 148); // the checksum counts itself as spaces
  block.set(encoder.encode("0ustar\x0000"), 156); // regular file, format, version
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(encoder.encode(sum.toString(8).padStart(6, "0") + "\0 "), 148);
  return block;
}
