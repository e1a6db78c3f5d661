import { byName } from "../../base/by_name.ts";
import * as registry from "./registry.ts";
import type { RawSource } from "./source.ts";

/** Every kind of raw logs, in the order of their names. */
export const SOURCES: readonly RawSource[] = Object.values(registry);

/** The source of a name. Throws `UserError` listing all where there is none. */
export function rawSource(name: string): RawSource {
  return byName(SOURCES, name, { use: "read raw data of", kind: "source" });
}
