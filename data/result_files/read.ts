import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { UserError } from "../../base/user_error.ts";

// Both projects have these fields; MIMIGenRec's rows have further ones.
const Rows = z.array(z.looseObject({
  input: z.string(),
  output: z.string(),
  predict: z.array(z.string()),
}));

/** One user of a result file. */
export interface ResultRow {
  /** Where it stands, for messages. */
  place: string;
  /** What the model was asked. */
  input: string;
  /** SID without quotes, line ends and blanks around it, which both projects ignore. */
  target: string;
  /** Likewise, best first, as many in every row. */
  predictions: string[];
}

/**
 * Reads result files of MiniOneRec or MIMIGenRec; several are the shards of one evaluation, in this order.
 * Throws {@link UserError} for what is no such file or has no rows, for rows with more or fewer predictions than the
 * first, and for a shard that is there twice.
 */
export async function readResults(paths: readonly string[]): Promise<ResultRow[]> {
  const shards: ResultRow[][] = [];
  for (const path of paths) {
    const shard = await readShard(path);
    const twin = shards.findIndex((other) => sameQuestions(other, shard));
    if (twin >= 0) {
      throw new UserError(
        `Cannot score ${path}: its ${shard.length} rows are those of ${paths[twin]}. Name every shard once`,
      );
    }
    shards.push(shard);
  }
  const rows = shards.flat();
  const beams = rows[0].predictions.length;
  const odd = rows.find(({ predictions }) => predictions.length !== beams);
  if (odd !== undefined) {
    throw new UserError(
      `Cannot score ${odd.place}: ${odd.predictions.length} predictions, ${
        rows[0].place
      } has ${beams}, expected as ` +
        "many in every row. Evaluate all shards with one number of beams",
    );
  }
  return rows;
}

async function readShard(path: string): Promise<ResultRow[]> {
  if (path.endsWith(".jsonl")) {
    throw new UserError(
      `Cannot score ${path}: expected a JSON list of MiniOneRec or MIMIGenRec. Predictions of genrec are scored as ` +
        "they are made: read the metrics.json beside them, or write a list with --format",
    );
  }
  const rows = await readJson(path, Rows);
  if (rows.length === 0) {
    throw new UserError(
      `Cannot score ${path}: it has no rows, expected one a user. Evaluate that shard again`,
    );
  }
  return rows.map(({ input, output, predict }, row) => {
    const place = `${path} row ${row + 1}`;
    if (predict.length === 0) {
      throw new UserError(`Cannot score ${place}: it has no predictions. Evaluate again`);
    }
    return { place, input, target: stripped(output), predictions: predict.map(stripped) };
  });
}

function stripped(text: string): string {
  return text.replace(/^["\s]+|["\s]+$/g, "");
}

// Whole files are compared, since one row may well come twice: two users can have the same history.
function sameQuestions(a: readonly ResultRow[], b: readonly ResultRow[]): boolean {
  return a.length === b.length &&
    a.every(({ input, target }, row) => input === b[row].input && target === b[row].target);
}
