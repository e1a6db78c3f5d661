import { UserError } from "../../base/user_error.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import { collisionPolicy } from "../../sid/collisions/by_name.ts";
import { collidingGroups } from "../../sid/collisions/groups.ts";
import { type Codes, codesByItem } from "../../sid/collisions/policy.ts";
import { formatSid } from "../../sid/tokens.ts";
import type { EtegrecConfig, UniquenessPolicy } from "./config.ts";
import type { ItemTokenizer } from "./item_tokenizer.ts";

/** Items whose codes are equal before they get SIDs of their own. */
export interface Conflicts {
  /** Most items on one path of codes. */
  largest: number;
  /** Share of the items that have no path of their own. */
  share: number;
  /** Different paths. */
  distinct: number;
}

/** SIDs of all items, as a tokenizer codes them at a time. */
export interface CodeTable {
  /** Codewords of each item, one a level; all differ. */
  codes: number[][];
  /** The same in the ids of the recommender. */
  tokens: CodeTokens;
  conflicts: Conflicts;
}

/** How codes become SIDs. */
export type CodeTableConfig = Pick<EtegrecConfig, "uniqueness" | "suffixCodes" | "maxHistory">;

/**
 * Codes all items and makes their SIDs unique. `extra-level` gives items of equal codes one more; the other policies
 * change last codes, so that SIDs are as short as the tokenizer has levels.
 * @throws {UserError} where more items share their codes than can be told apart.
 */
export async function codeTable(tokenizer: ItemTokenizer, config: CodeTableConfig): Promise<CodeTable> {
  const { codebookSizes } = tokenizer.model.shape;
  const { codes: data, levels, lastLevel } = await tokenizer.code();
  const coded = { data, rows: tokenizer.inputs.rows, levels };
  const longer = config.uniqueness === "extra-level";
  const { sids, shared } = collisionPolicy(config.uniqueness).resolve(coded, lastLevel);
  if (shared.length > 0 || !longer && sids.some(({ length }) => length > levels)) {
    throw tooMany(config.uniqueness, codebookSizes.at(-1)!);
  }
  const conflicts = conflictsOf(coded);
  if (longer && conflicts.largest > config.suffixCodes) throw tooLong(conflicts.largest, config.suffixCodes);
  const sizes = longer ? [...codebookSizes, config.suffixCodes] : codebookSizes;
  return { codes: sids, tokens: new CodeTokens(sids, { maxHistory: config.maxHistory, sizes }), conflicts };
}

/** Token strings of the SIDs, one list an item. */
export function tokenStrings({ codes }: CodeTable): string[][] {
  return codes.map(formatSid);
}

/** Items whose SIDs differ. */
export function changedItems(before: CodeTable, after: CodeTable): number {
  return before.codes.filter((codes, item) => codes.join() !== after.codes[item].join()).length;
}

function conflictsOf(codes: Codes): Conflicts {
  const groups = collidingGroups(codesByItem(codes));
  const colliding = groups.reduce((sum, { length }) => sum + length, 0);
  return {
    largest: groups.reduce((most, { length }) => Math.max(most, length), 1),
    share: colliding / codes.rows,
    distinct: codes.rows - colliding + groups.length,
  };
}

function tooLong(items: number, suffixCodes: number): UserError {
  return new UserError(
    `Cannot tell ${items} items of equal codes apart with ${suffixCodes} further codes: expected as many. Raise ` +
      "--suffix-codes, or train the tokenizer longer",
  );
}

function tooMany(policy: UniquenessPolicy, codebookSize: number): UserError {
  return new UserError(
    `Cannot give items SIDs of their own by ${policy}: more than the ${codebookSize} codewords of the last level have ` +
      "the same codes before. Use --uniqueness extra-level",
  );
}
