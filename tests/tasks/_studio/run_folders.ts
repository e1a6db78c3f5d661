// Folders as trainings and evaluations write them, without a training.
import { join } from "node:path";

/** Text that would run if it were HTML. */
export const EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";

/**
 * Writes two runs, `a` and one with a wicked name, both evaluated on the same 40 users. Two items share each SID of the
 * second.
 */
export async function writeRuns(folder: string): Promise<{ a: string; evil: string }> {
  const a = join(folder, "a"), evil = join(folder, EVIL.replaceAll("/", "\u2215"));
  for (const [path, seed, hits, sharing] of [[a, 1, 30, 1], [evil, 2, 4, 2]] as const) {
    await Deno.mkdir(join(path, "eval"), { recursive: true });
    const write = (name: string, content: unknown) =>
      Deno.writeTextFile(join(path, name), typeof content === "string" ? content : JSON.stringify(content));
    await write("config.json", { data: "d", seed, learningRate: seed / 10, numTrainEpochs: 2, note: EVIL });
    await write("manifest.json", { task: "sft", dataset: "shop", adapter: "x", seed, inputs: {} });
    const lines = [{ step: 5, epoch: 1, loss: 3 - seed, tokens: 50, seconds: 2 }, {
      step: 5,
      valid: { ndcg10: seed / 4 },
    }];
    await write("metrics.jsonl", lines.map((line) => JSON.stringify(line) + "\n").join(""));
    const figures = Object.fromEntries([1, 5, 10].map((k) => [k, hits / sharing / 40]));
    const ci95 = Object.fromEntries(Object.keys(figures).map((k) => [k, [0, 1]]));
    await write("eval/metrics.json", {
      run: path,
      data: "d",
      split: "test",
      users: 40,
      beams: 10,
      secondsPerUser: 0.1,
      hr: figures,
      ndcg: figures,
      ci95: { hr: ci95, ndcg: ci95 },
    });
    const rows = Array.from(
      { length: 40 },
      (_, row) => ({ row, user: `${row}`, target: row, rank: row < hits ? 0 : null, sharing }),
    );
    await write("eval/predictions.jsonl", rows.map((row) => JSON.stringify(row) + "\n").join(""));
  }
  return { a, evil };
}
