import type { SparseRows } from "../../kernels/matmul/sparse.ts";
import type { PurchaseCounts } from "../counts/purchases.ts";

/** What a run listed for a history: items, best first, and their scores. */
export interface RunList {
  /** Item numbers, each once. */
  readonly items: readonly number[];
  /** As long, descending. */
  readonly scores: readonly number[];
  /** How many of them, from the first, are candidates; default: all. */
  readonly candidates?: number;
}

/** Whom candidates are for. */
export interface CandidateRequest {
  /** Item numbers, oldest first; items outside of the catalogue are none of them. */
  readonly history: readonly number[];
  /** What each run listed. */
  readonly lists: readonly RunList[];
}

/** What is known of the items, beside a request. */
export interface CandidateSources {
  /** Counts of the train split. */
  readonly counts: PurchaseCounts;
  /** Weighted words of the items, rows of length 1; absent where items have none. */
  readonly texts?: SparseRows;
}

/** How candidates are made. */
export interface CandidateOptions {
  /** The most that counts propose. */
  readonly countCandidates: number;
  /** The most that texts propose. */
  readonly textCandidates: number;
}

/** A line of the registry: where items that are ranked come from. */
export interface CandidateGenerator {
  /** Name for `--candidates`. */
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** Items for one request, in any order; what others proposed before may be among them. */
  propose(request: CandidateRequest, sources: CandidateSources, options: CandidateOptions): Iterable<number>;
}

/** What all generators propose, each item once, in the order of the generators; `isAllowed` leaves others out. */
export function candidatesOf(
  generators: readonly CandidateGenerator[],
  request: CandidateRequest,
  sources: CandidateSources,
  options: CandidateOptions & { isAllowed?(item: number): boolean },
): number[] {
  const found = new Set<number>();
  for (const generator of generators) {
    for (const item of generator.propose(request, sources, options)) {
      if (options.isAllowed?.(item) ?? true) found.add(item);
    }
  }
  return [...found];
}
