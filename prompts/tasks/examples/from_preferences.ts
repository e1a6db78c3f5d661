import type { Preference } from "../../../data/preferences.ts";
import { historySids } from "./from_dataset.ts";
import type { Example, Examples, TaskInput } from "../task.ts";

/** One row a preference; rows without a history are left out. */
export function fromPreferences(
  input: TaskInput,
  make: (preference: Preference, history: readonly string[]) => Example,
): Examples {
  const all = input.preferences ?? [];
  const rows = all.filter(({ history }) => history.length > 0);
  return {
    count: rows.length,
    example(i) {
      const history = rows[i].history.slice(-input.maxHistory);
      const row = { ...rows[i], text: input.texts.asText(rows[i].text) };
      return { ...make(row, historySids(input, history)), history };
    },
    leftOut: rows.length < all.length ? { "empty history": all.length - rows.length } : {},
  };
}

/** Says that a preference file is missing, or has no train rows. */
export function missingPreferences({ preferences }: TaskInput): string | undefined {
  return preferences?.length ? undefined : "a preference file with train rows (--preferences FILE)";
}
