import { byName } from "../../base/by_name.ts";
import * as registry from "./registry.ts";
import type { DatasetWriter } from "./writer.ts";

/** Every format that datasets are written in, in the order of their names. */
export const WRITERS: readonly DatasetWriter[] = Object.values(registry);

/** The writer of a format's name. Throws `UserError` listing all where there is none. */
export function datasetWriter(name: string): DatasetWriter {
  return byName(WRITERS, name, { use: "convert to", kind: "format" });
}
