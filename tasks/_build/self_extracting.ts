import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import header from "./self_extracting.sh" with { type: "text" };
import windowsCommand from "./windows.cmd" with { type: "text" };
import { tar, type TarEntry } from "./tar.ts";

/**
 * One executable file: a POSIX shell header and a gzipped tar of `entries`, which must hold `deno` and
 * `tasks/main.js`. Equal entries give equal bytes. `level` is gzip's, 1 (quick) to 9 (small).
 */
export function selfExtracting(
  entries: readonly TarEntry[],
  version: string,
  level: number,
): Uint8Array<ArrayBuffer> {
  const payload = gzipSync(tar(entries), { level });
  const sum = createHash("sha256").update(payload).digest("hex");
  const values = { VERSION: version, ID: sum.slice(0, 16), SUM: sum, SIZE: String(payload.length) };
  let text = header;
  for (const [name, value] of Object.entries(values)) text = text.replace(`@${name}@`, value);
  // `tail -c +N` counts from 1. The number has a fixed width, so that writing it does not move what it points at.
  const width = 8;
  const length = new TextEncoder().encode(text.replace("@OFFSET@", "0".repeat(width))).length;
  const bytes = new TextEncoder().encode(text.replace("@OFFSET@", String(length + 1).padEnd(width)));
  const file = new Uint8Array(bytes.length + payload.length);
  file.set(bytes);
  file.set(payload, bytes.length);
  return file;
}

/**
 * A gzipped tar of `entries`, which must hold `deno.exe` and `tasks/main.js`, and of genrec.cmd, which starts them where it
 * is unpacked: Windows has no shell that could unpack a file for itself, but `tar`.
 */
export function windowsArchive(entries: readonly TarEntry[], level: number): Uint8Array<ArrayBuffer> {
  const command = new TextEncoder().encode(windowsCommand.replaceAll("\n", "\r\n"));
  const all = [{ path: "genrec.cmd", mode: 0o755, bytes: command }, ...entries];
  return new Uint8Array(
    gzipSync(tar(all.map((entry) => ({ ...entry, path: `genrec/${entry.path}` }))), { level }),
  );
}
