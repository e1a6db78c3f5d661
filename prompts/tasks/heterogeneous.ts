import { UserError } from "../../base/user_error.ts";
import { fromNextItem } from "./examples/from_dataset.ts";
import type { AlignmentTask, NextItemTask, TaskInput } from "./task.ts";

const USER_TOKENS = ["[USER_HIGH_RATING]", "[USER_MID_RATING]", "[USER_LOW_RATING]", "[USER_UNKNOWN]"];
const CONTEXT_TOKENS = ["[CTX_BROWSE]", "[CTX_SEARCH]", "[CTX_HOMEPAGE]"];
const ITEM_TOKENS = { O: "[O_TOKEN]", I: "[I_TOKEN]" };
const TOKEN = /^\[[A-Z][A-Z0-9_]*\]$/;

const asNextItem: NextItemTask = {
  ask: (input, history, { userToken = "[USER_UNKNOWN]", contextToken = "" } = {}) => ({
    user: userToken,
    context: contextToken,
    history: history.map((item) => typedSid(input, item)),
  }),
  answer: (input, item) => ({ sid: typedSid(input, item) }),
};

/**
 * GPR's rows: a token for the user (U), one for where the user was (E) where the data says it, and before each SID
 * whether the item is advertised (I) or organic (O, also where unknown) -> kind and SID of the next item.
 * Source: GPR, arXiv:2511.10138, as MiniOneRec's fork reads it. No token is made up: a context that is not in the
 * data stays empty.
 */
export const heterogeneous: AlignmentTask = {
  name: "heterogeneous",
  summary: "GPR's tokens of user and context, kinds and SIDs of a history -> kind and SID of the next item",
  wording: {
    instruction: "Next kind and item",
    input: "{user}{context}{history}",
    output: "{sid}",
    join: "",
  },
  question: ["user", "context", "history"],
  answer: ["sid"],
  missing: ({ dataset: { items } }) =>
    items.some(({ itemType }) => itemType !== undefined)
      ? undefined
      : "kinds of items (deno task data --gpr adds them)",
  tokens: ({ dataset: { samples: { train } } }) => [
    ...new Set([
      ...USER_TOKENS,
      ...CONTEXT_TOKENS,
      ...Object.values(ITEM_TOKENS),
      ...train.flatMap(({ userToken, contextToken }) => [userToken, contextToken]).filter((token) =>
        token !== undefined && checked(token)
      ) as string[],
    ]),
  ],
  nextItem: asNextItem,
  examples: (input) => fromNextItem(input, "empty history", asNextItem),
};

function typedSid({ dataset: { items }, texts: { sids } }: TaskInput, item: number): string {
  return ITEM_TOKENS[items[item].itemType ?? "O"] + sids[item];
}

function checked(token: string): boolean {
  if (TOKEN.test(token)) return true;
  throw new UserError(
    `Cannot use ${
      JSON.stringify(token)
    } as a token of user or context: expected a name in brackets such as ` +
      "[CTX_SEARCH]. Fix column e_token of the samples or user_token of the users",
  );
}
