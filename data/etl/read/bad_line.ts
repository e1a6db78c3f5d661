/** How many bad lines are shown. */
export const SHOWN = 5;

/** One line that was left out. */
export interface BadLine {
  /** Path, and the line from 1 (or the record, where a file has no lines). */
  place: string;
  /** The line or the record, from 1. */
  line: number;
  problem: string;
}
