import {
  type CandidateGenerator,
  type CandidateOptions,
  type CandidateRequest,
  candidatesOf,
} from "../candidates/candidates.ts";
import { FeatureColumns } from "../features/columns.ts";
import type { FeatureGroup, FeatureSources } from "../features/features.ts";

/** What lists are made with. */
export interface ListMakerParts {
  /** What features are computed from. */
  readonly sources: FeatureSources;
  /** Where candidates come from. */
  readonly generators: readonly CandidateGenerator[];
  /** What is known of them. */
  readonly groups: readonly FeatureGroup[];
  /** How candidates are made. */
  readonly options: CandidateOptions;
}

/** Candidates of a request, and what is known of them. */
export interface MadeList {
  /** Item numbers, each once. */
  readonly items: readonly number[];
  /** (items, C), row after row. */
  readonly raw: Float32Array;
}

/** Makes the candidates of a request and their features. */
export class ListMaker {
  /** Columns (C) of the features. */
  readonly features: FeatureColumns;
  readonly #parts: ListMakerParts;

  /** Throws `UserError` where no feature can be. */
  constructor(parts: ListMakerParts) {
    this.features = new FeatureColumns(parts.groups, parts.sources);
    this.#parts = parts;
  }

  /** `isAllowed` leaves items out. */
  make(request: CandidateRequest, isAllowed?: (item: number) => boolean): MadeList {
    const { generators, sources, options } = this.#parts;
    const items = candidatesOf(generators, request, sources, { ...options, isAllowed });
    const raw = new Float32Array(items.length * this.features.columns.length);
    this.features.write(request, items, raw);
    return { items, raw };
  }
}
