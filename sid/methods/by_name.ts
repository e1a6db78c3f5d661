import { byName } from "../../base/by_name.ts";
import type { SidMethod } from "../method.ts";
import * as registry from "./registry.ts";

/** Every way to make SIDs, in the order of their names. */
export const SID_METHODS = Object.values(registry) as readonly SidMethod[];

/** The method of a name. Throws `UserError` listing all where there is none. */
export function sidMethod(name: string): SidMethod {
  return byName(SID_METHODS, name, { use: "make SIDs by", kind: "method" });
}
