import { UserError } from "../../base/user_error.ts";

const END = 0x06054b50, CENTRAL = 0x02014b50, LOCAL = 0x04034b50;
const END_BYTES = 22, CENTRAL_BYTES = 46, LOCAL_BYTES = 30;
/** Longest comment behind the end record. */
const COMMENT_BYTES = 0xffff;

/**
 * Entries of a zip file by name, as views of its bytes: those that `torch.save` writes, which compresses nothing.
 * @throws {UserError} for a file that is damaged, compressed, or larger than 4 GiB; `source` names it.
 */
export function zipEntries(bytes: Uint8Array, source: string): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (found: string): never => {
    throw new UserError(
      `Cannot read ${source}: ${found}, expected a file of torch.save() of PyTorch 1.6 or later. Copy it again, or save ` +
        "it again",
    );
  };
  const within = (at: number, length: number) => at >= 0 && at + length <= bytes.length;
  let end = bytes.length - END_BYTES;
  const last = Math.max(0, end - COMMENT_BYTES);
  while (end >= last && view.getUint32(end, true) !== END) end--;
  if (end < last || end < 0) return fail("it is no whole zip file");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const entries = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    if (!within(at, CENTRAL_BYTES) || view.getUint32(at, true) !== CENTRAL) {
      return fail(`entry ${i} is damaged`);
    }
    const method = view.getUint16(at + 10, true), size = view.getUint32(at + 24, true);
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const local = view.getUint32(at + 42, true);
    if (!within(at + CENTRAL_BYTES, nameLength)) return fail(`entry ${i} is damaged`);
    const name = new TextDecoder().decode(
      bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength),
    );
    if (method !== 0) return fail(`${name} is compressed`);
    if (!within(local, LOCAL_BYTES) || view.getUint32(local, true) !== LOCAL) {
      return fail(`${name} is damaged`);
    }
    const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (!within(start, size)) return fail(`${name} is cut off`);
    entries.set(name, bytes.subarray(start, start + size));
    at += CENTRAL_BYTES + nameLength + extra + comment;
  }
  return entries;
}
