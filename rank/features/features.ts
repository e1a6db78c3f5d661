import type { ScoreUnit } from "../../eval/recommender.ts";
import type { CandidateRequest, CandidateSources } from "../candidates/candidates.ts";

/** A run whose lists are ranked. */
export interface RankedSource {
  /** Its name in columns. */
  readonly name: string;
  /** What its scores are. */
  readonly scoreUnit: ScoreUnit;
  /** Items that it lists, the most. */
  readonly listLength: number;
}

/** What features are computed from, beside the request. */
export interface FeatureSources extends CandidateSources {
  /** The runs whose lists requests bring, in their order. */
  readonly runs: readonly RankedSource[];
}

/** One number of a candidate. */
export interface FeatureColumn {
  /** Told apart by it within its group. */
  readonly name: string;
  /** Any number. Others, from 0 on, such as counts, also come as their log and as whether they are 0. */
  readonly signed?: boolean;
}

/** Puts the value of a column of its group for the candidate at `place` of the list. */
export type PutFeature = (place: number, column: number, value: number) => void;

/** A group of features, ready for requests. */
export interface OpenFeatures {
  /** What it puts, in order. */
  readonly columns: readonly FeatureColumn[];
  /** Puts every column of every candidate once. */
  write(request: CandidateRequest, items: readonly number[], put: PutFeature): void;
}

/** A line of the registry: what is known of a candidate beside a history. */
export interface FeatureGroup {
  /** Name for `--features`. */
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** The group over these sources; where one is missing, why it cannot be. */
  open(sources: FeatureSources): OpenFeatures | { readonly missing: string };
}
