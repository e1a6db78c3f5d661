import { z } from "zod";
import { CREDITS } from "../../eval/evaluate.ts";

/** What tables say whose hits do not count by item. */
export const STRING_CREDIT = "A hit counts 1 however many items share its SID (--credit string)";

/** What hits are worth, for all tasks that measure. */
export const credit = z.enum(CREDITS).default("group").describe(
  "what a hit on a SID counts: group: 1 / (items that share it), so that items are what is found; string: 1, whoever " +
    "shares it, as in MiniOneRec;",
);
