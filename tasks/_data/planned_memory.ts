import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { CorpusSizes } from "../../data/cost/sizes.ts";
import type { DatasetFormat } from "../../data/formats/format.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import type { TaskIO } from "../_cli/cli.ts";

const GIB = 2 ** 30;

/** Flag of tasks that go through a dataset in parts; `what` it limits. */
export const memoryLimitFlag = (what: string) => ({
  memoryLimit: z.number().min(0).default(0).describe(
    `GiB of memory that ${what} of a dataset of ours may take; 0: no limit`,
  ),
});

/** What a task says before it starts. */
interface Planned {
  /** In words, such as `check`. */
  work: string;
  /** Dataset, and its format. */
  data: string;
  format: DatasetFormat;
  /** About how many bytes it takes. */
  bytesOf(sizes: CorpusSizes): number;
  /** GiB; 0: no limit. */
  limit: number;
  /** What to do beside raising the limit. */
  remedy?: string;
}

/**
 * Says what a task will take, by the numbers of rows that the files state. Nothing where they state none, or are damaged, which
 * is told when they are read.
 * @throws {UserError} for more than the limit, and for a limit where no rows are stated.
 */
export async function tellPlanned(
  { work, data, format, bytesOf, limit, remedy }: Planned,
  io: TaskIO,
): Promise<void> {
  if (format.sizes === undefined) {
    if (limit === 0) return;
    throw new UserError(
      `Cannot use --memory-limit with ${data}: files of ${format.name} do not say how many rows they have. ` +
        "Leave it out, or `genrec convert` it to genrec",
    );
  }
  const sizes = await format.sizes(data).catch((error) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
  if (sizes === undefined) return;
  const bytes = bytesOf(sizes), { items, users, interactions, samples } = sizes;
  const number = (count: number) => count.toLocaleString("en");
  const rows = samples.train + samples.valid + samples.test;
  io.log(
    `Memory: about ${formatBytes(bytes)} for ${number(interactions)} interactions, ${
      number(rows)
    } samples, ` +
      `${number(items)} items and ${number(users)} users`,
  );
  if (limit === 0 || bytes <= limit * GIB) return;
  throw new UserError(
    `Cannot ${work} ${data} in ${formatBytes(limit * GIB)} of memory: it takes about ${
      formatBytes(bytes)
    }. ` +
      `Raise --memory-limit${remedy === undefined ? "" : `, or ${remedy}`}`,
  );
}
