import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { checkNoDevice } from "./disk.ts";

/** SHA-256 of bytes, or of a text in UTF-8, in hexadecimal. */
export function sha256OfContent(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** SHA-256 of a file in hexadecimal, read in pieces. Throws `UserError` for a device, which has no end. */
export async function sha256(path: string): Promise<string> {
  await checkNoDevice(path);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
