import { makeFolder } from "../../base/files/line_file.ts";
import { forgetParts, keepParts, type KeptParts, keptParts } from "../../data/kept/parts.ts";
import type { CodedLevels } from "../../sid/mini_batches/fit.ts";
import type { ResolvedPart } from "../../sid/mini_batches/resolve.ts";

/** Milliseconds between two moments at which SIDs that were told apart are kept. */
const KEEP_EVERY = 60_000;

/** What a command that makes SIDs in parts leaves in their folder until it has ended, for the same command to go on from. */
export class KeptInParts {
  readonly #folder: string;
  readonly #kept: KeptParts;
  readonly #every: number;
  #keptAt = performance.now();

  private constructor(folder: string, kept: KeptParts, every: number) {
    this.#folder = folder;
    this.#kept = kept;
    this.#every = every;
  }

  /** Of SIDs made `of` these. Throws `UserError` where others were stopped there. */
  static async open(
    folder: string,
    of: Record<string, string>,
    every: number = KEEP_EVERY,
  ): Promise<KeptInParts> {
    const kept = await keptParts(folder, of, folder);
    return new KeptInParts(folder, kept ?? { of, files: [], values: {} }, every);
  }

  /** Levels that are coded. */
  get levels(): CodedLevels | undefined {
    return this.#kept.values.levels as CodedLevels | undefined;
  }

  /** Items that were told apart. */
  get resolved(): ResolvedPart | undefined {
    return this.#kept.values.resolved as ResolvedPart | undefined;
  }

  /** What is there, in words; "" for nothing. */
  get found(): string {
    const { levels, resolved } = this;
    if (levels === undefined) return "";
    const count = levels.codebooks.length;
    return `${count} ${count === 1 ? "level" : "levels"}${
      resolved ? ` and ${resolved.done.toLocaleString("en")} items that were told apart` : ""
    }`;
  }

  /** Keeps what was coded. */
  async keepLevels(levels: CodedLevels): Promise<void> {
    this.#kept.values.levels = levels;
    await this.#keep();
  }

  /** Keeps what was told apart, at times, or `now`. */
  async keepResolved(part: ResolvedPart, now: boolean): Promise<void> {
    this.#kept.values.resolved = part;
    if (now || performance.now() - this.#keptAt >= this.#every) await this.#keep();
  }

  /** All is written. */
  async end(): Promise<void> {
    await forgetParts(this.#folder);
  }

  async #keep(): Promise<void> {
    await makeFolder(this.#folder);
    await keepParts(this.#folder, this.#kept);
    this.#keptAt = performance.now();
  }
}
