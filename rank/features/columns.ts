import { UserError } from "../../base/user_error.ts";
import type { CandidateRequest } from "../candidates/candidates.ts";
import type { FeatureColumn, FeatureGroup, FeatureSources, OpenFeatures } from "./features.ts";

/** All columns of some groups, side by side. */
export class FeatureColumns {
  /** Columns (C), named `group.column`. */
  readonly columns: readonly FeatureColumn[];
  /** Groups that cannot be, and why. */
  readonly missing: readonly { readonly group: string; readonly why: string }[];
  #groups: { open: OpenFeatures; first: number }[] = [];

  /** Throws {@link UserError} where no group can be. */
  constructor(groups: readonly FeatureGroup[], sources: FeatureSources) {
    const columns: FeatureColumn[] = [];
    const missing: { group: string; why: string }[] = [];
    for (const { name, open } of groups) {
      const opened = open(sources);
      if ("missing" in opened) {
        missing.push({ group: name, why: opened.missing });
        continue;
      }
      this.#groups.push({ open: opened, first: columns.length });
      for (const column of opened.columns) columns.push({ ...column, name: `${name}.${column.name}` });
    }
    this.columns = columns;
    this.missing = missing;
    if (columns.length > 0) return;
    const why = missing.map(({ group, why }) => `${group} (${why})`).join(", ");
    throw new UserError(`Cannot rank without features: ${why}. Add another group to --features`);
  }

  /** Values of the candidates of one request (items, C), written to `to` from element `start` on. */
  write(request: CandidateRequest, items: readonly number[], to: Float32Array, start = 0): void {
    const width = this.columns.length;
    for (const { open, first } of this.#groups) {
      open.write(request, items, (place, column, value) => {
        to[start + place * width + first + column] = value;
      });
    }
  }
}
