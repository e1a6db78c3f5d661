import { byName } from "../../base/by_name.ts";
import type { ResultFormat } from "./format.ts";
import * as registry from "./registry.ts";

/** Every way in which other projects write predictions, in the order of their names. */
export const RESULT_FORMATS: readonly ResultFormat[] = Object.values(registry);

/** The format of a name. Throws `UserError` listing all where there is none. */
export function resultFormat(name: string): ResultFormat {
  return byName(RESULT_FORMATS, name, { use: "write results as", kind: "format" });
}
