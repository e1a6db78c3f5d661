import { lastCodewords } from "./last_level.ts";
import {
  type Codes,
  codesByItem,
  type CollisionPolicy,
  type LastLevel,
  type ResolvedCodes,
  resolvedCodes,
} from "./policy.ts";

/**
 * As FORGE and the ETEGRec fork number items: the last code of every item is replaced by its rank among the items with
 * the same codes before, from a start that depends on those codes, modulo the codewords of the last level. The codes
 * that were learned there are lost, so it is for comparisons. Only a prefix with more items than codewords shares SIDs.
 */
export function forgeLastCodes(codes: Codes, lastLevel: LastLevel): ResolvedCodes {
  const codewords = lastCodewords(codes, lastLevel);
  const sids = codesByItem(codes);
  const last = codes.levels - 1;
  const next = new Map<string, number>();
  for (const sid of sids) {
    const prefix = pythonTuple(sid.slice(0, last));
    const code = next.get(prefix) ?? adler32(prefix) % codewords;
    sid[last] = code;
    next.set(prefix, (code + 1) % codewords);
  }
  return resolvedCodes(codes, sids);
}

/** {@link forgeLastCodes} as a policy. */
export const forge: CollisionPolicy = { name: "forge", resolve: forgeLastCodes };

/** Text of a tuple as Python prints it: `()`, `(5,)`, `(12, 200)`. */
function pythonTuple(values: readonly number[]): string {
  return `(${values.join(", ")}${values.length === 1 ? "," : ""})`;
}

/** Adler-32 checksum (RFC 1950, section 8.2) of a text in ASCII. */
function adler32(text: string): number {
  const MODULUS = 65521;
  let low = 1;
  let high = 0;
  for (let i = 0; i < text.length; i++) {
    low = (low + text.charCodeAt(i)) % MODULUS;
    high = (high + low) % MODULUS;
  }
  return high * 65536 + low;
}
