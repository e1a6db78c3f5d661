import assert from "node:assert/strict";
import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { parseArgs, UsageError } from "../../tasks/_cli/cli.ts";
import { task } from "../../tasks/recommend.ts";
import { withFiles } from "../data/formats/minionerec/fixture.ts";
import { inSession } from "./_cli/session.ts";
import { filesIn, genrec, withData, withRun } from "./genrec.ts";
import { collector } from "../scenarios/text_shop.ts";

interface Listed {
  item: number;
  score: number;
}

/** Runs `recommend` on the run and the data in `dir`, with further command line words, in this process. */
async function recommend(dir: string, words: string[]): Promise<string[]> {
  const places = ["--run", join(dir, "run"), "--data", join(dir, "data")];
  const { io, lines } = collector();
  await task.run(parseArgs(task, [...places, ...words])!.config, io);
  return lines;
}

/** The same for a file of lines; what it wrote. */
async function answers(dir: string, histories: string, flags = "") {
  const file = join(dir, "users.jsonl"), out = join(dir, "lists.jsonl");
  await Deno.writeTextFile(file, histories);
  await recommend(dir, ["--file", file, "--out", out, ...flags.split(" ").filter(Boolean)]);
  const text = await Deno.readTextFile(out);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

const numbers = (recommendations: Listed[]) => recommendations.map(({ item }) => item);

Deno.test("recommend prints history titles and ranked items with SID, score and title", async () => {
  await withRun(async (dir) => {
    const args = "recommend --run run --data data --history 1,3 --top 2".split(" ");
    const { code, stdout, stderr } = await genrec(dir, args);
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0], /^History, oldest first:/);
    assert.match(lines[1], /^ +1 +<a_1><b_3> +Bob's Clamp$/);
    assert.match(lines[2], /^ +3 +<a_4><b_0> +NA$/);
    assert.match(lines[4], /^ +item +SID +score +title$/);
    assert.equal(lines.length, 7);
    assert.match(lines[5], /^ +1 +[0-3] +<a_\d><b_\d> +-\d+\.\d\d +\S/);
  });
});

Deno.test("recommend --json ranks the whole catalogue where --top allows it", async () => {
  await withRun(async (dir) => {
    const args = "recommend --run run --history 2 --top 10 --beams 1 --json".split(" ");
    const { code, stdout, stderr } = await inSession(dir, args);
    assert.equal(code, 0, stderr);
    const { history, recommendations } = JSON.parse(stdout);
    assert.deepEqual(history, [{ item: 2, sid: "<a_2><b_2>", title: "Steel Rule, 30 cm" }]);
    assert.deepEqual(recommendations.map(({ item }: { item: number }) => item).toSorted(), [0, 1, 2, 3]);
    const scores: number[] = recommendations.map(({ score }: { score: number }) => score);
    assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
    // The scores are log-probabilities of SIDs: together no more than 1.
    assert.ok(scores.reduce((sum, score) => sum + Math.exp(score), 0) < 1);
  });
});

Deno.test("recommend takes titles with commas, one flag each or between bars", async () => {
  const { config } = parseArgs(task, [
    "--run",
    "r",
    "--titles",
    "Steel Rule, 30 cm|NA",
    "--titles",
    "Blue Tape",
  ])!;
  assert.deepEqual(config.titles, ["Steel Rule, 30 cm|NA", "Blue Tape"]);
  await withRun(async (dir) => {
    const lines = await recommend(dir, ["--titles", "Steel Rule, 30 cm|NA", "--top", "4"]);
    assert.deepEqual(lines.slice(1, 3).map((line) => line.trim().split(/ +/)[0]), ["2", "3"]);
    assert.equal(lines.length, 9);
    const repeated = await recommend(dir, ["--titles", "Steel Rule, 30 cm", "--titles", "NA", "--top", "4"]);
    assert.deepEqual(repeated.slice(1, 3), lines.slice(1, 3));
  });
});

Deno.test("recommend --file answers each line without what was seen, whatever the other lines", async () => {
  await withRun(async (dir) => {
    const histories = [
      '{"user": "ann", "history": [1, 3]}',
      "",
      '{"titles": ["Blue Tape", "Blue Tape"]}',
      '{"user": 7, "history": [0, 1, 2]}',
    ];
    const flags = "--exclude-seen --top 2 --beams 1";
    const rows = await answers(dir, histories.join("\n"), flags);
    assert.deepEqual(rows.map(({ user, history }) => [user, history]), [
      ["ann", [1, 3]],
      [undefined, [0, 0]],
      [7, [0, 1, 2]],
    ]);
    // Two of the two that are left, though fewer beams were asked for; two of three; the one that is left.
    assert.deepEqual(numbers(rows[0].recommendations).toSorted(), [0, 2]);
    assert.deepEqual([rows[1].recommendations.length, numbers(rows[1].recommendations).includes(0)], [
      2,
      false,
    ]);
    assert.deepEqual(numbers(rows[2].recommendations), [3]);
    assert.deepEqual(await answers(dir, histories[0], flags), [rows[0]]);
  });
});

Deno.test("recommend --category lists the items of a category alone, with the scores that they have without it", async () => {
  await withRun(async (dir) => {
    const [{ recommendations: all }] = await answers(dir, '{"history": [1]}');
    const [{ recommendations: [only, ...others] }] = await answers(
      dir,
      '{"history": [1]}',
      "--category Rulers",
    );
    assert.deepEqual([only.item, only.title, others], [2, "Steel Rule, 30 cm", []]);
    assert.ok(Math.abs(all.find(({ item }: Listed) => item === 2).score - only.score) < 1e-4);
  });
});

Deno.test("recommend --file prints lines of JSON alone where no --out is named", async () => {
  await withRun(async (dir) => {
    await Deno.writeTextFile(join(dir, "users.jsonl"), '{"history": [1]}\n{"history": [2]}\n');
    const { code, stdout, stderr } = await inSession(
      dir,
      "recommend --run run --file users.jsonl --top 1".split(" "),
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Memory: about .* for 2 users at once, /m);
    const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(rows.map(({ history }) => history), [[1], [2]]);
    assert.deepEqual(Object.keys(rows[0].recommendations[0]), ["item", "sid", "title", "score"]);
  });
});

Deno.test("recommend refuses before it loads a model, and leaves nothing behind", async () => {
  await withRun(async (dir) => {
    const files = {
      users: '{"history": [4]}\n{"history": ["B00"]}\n',
      both: '{"history": [0], "titles": ["NA"]}\n',
      none: '{"history": []}\n',
      typo: '{"histroy": [0]}\n',
      seen: '{"history": [2]}\n{"history": [3, 2]}\n',
      blank: "\n",
    };
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(dir, name), text);
    // A model that cannot be loaded.
    for (const { name } of Deno.readDirSync(join(dir, "run/checkpoints"))) {
      await Deno.remove(join(dir, "run/checkpoints", name, "model.safetensors"));
    }
    const before = filesIn(dir);
    const cases: [flags: string, message: RegExp, type?: typeof UserError][] = [
      ["", /Expected one of --history, --titles and --file, found none/, UsageError],
      ["--history 1 --titles NA", /Expected one of .*found 2/, UsageError],
      ["--history 1 --out x", /--out without --file/, UsageError],
      [`--file ${dir}/users --out ${dir}/x`, /item 4 of .*users line 1: .*data has items 0 to 3/],
      [`--file ${dir}/both`, /both line 1: expected either history.*found both/],
      [`--file ${dir}/none`, /none line 1: expected a history of at least one/],
      [`--file ${dir}/typo`, /typo line 1.*histroy/],
      [`--file ${dir}/blank`, /blank: it has no lines/],
      [`--file ${dir}/seen --category Tools --exclude-seen`, /seen line 1: all 1 items of --category/],
      ["--titles Clamp", /title "Clamp" of --titles.*"Bob's Clamp" \(item 1\)/],
      ["--history 1 --category Ruler", /category "Ruler".*Did you mean Rulers\?/],
      ["--history 1 --seed 7", /^Cannot use --seed without --temperature above 0/, UsageError],
      ["--history 1 --max-new-tokens 9", /^Cannot use --max-new-tokens with .*no reasons\. Leave it out, or/],
      ["--history 0,1,2,3 --exclude-seen", /--history: all 4 items are in the history/],
    ];
    for (const [flags, message, type = UserError] of cases) {
      await assert.rejects(
        recommend(dir, flags.split(" ").filter(Boolean)),
        (error) => error instanceof type && message.test(error.message),
        flags,
      );
    }
    assert.deepEqual(filesIn(dir), before);
    await Deno.remove(join(dir, "run/checkpoints"), { recursive: true });
    await assert.rejects(
      recommend(dir, ["--history", "1"]),
      (error) =>
        error instanceof UserError &&
        /Cannot use checkpoint step-\d of run .*: it has none/.test(error.message),
    );
  });
});

Deno.test("recommend --file answers everyone it can: who is unknown or has seen all gets the reason in the line", async () => {
  await withRun(async (dir) => {
    const histories = [
      '{"user": "ann", "history": [1, "B00"]}',
      '{"user": "cold", "history": []}',
      '{"user": "stranger", "history": [99]}',
      '{"user": 9007199254740993, "titles": ["Blue Tape", "Unheard of"]}',
      '{"user": "all", "history": [0, 1, 2, 3]}',
    ];
    const rows = await answers(dir, histories.join("\n"), "--exclude-seen --top 2");
    assert.deepEqual(rows.map(({ user, history, unknown }) => [user, history, unknown]), [
      ["ann", [1], ["B00"]],
      ["cold", [], undefined],
      ["stranger", [], [99]],
      ["9007199254740993", [0], ["Unheard of"]],
      ["all", [0, 1, 2, 3], undefined],
    ]);
    assert.deepEqual(rows.map(({ recommendations }) => recommendations?.length), [
      2,
      undefined,
      undefined,
      2,
      undefined,
    ]);
    assert.match(rows[1].error, /line 2: expected a history of at least one item/);
    assert.match(rows[2].error, /item 99 of .* line 3: .*has items 0 to 3/);
    assert.match(rows[4].error, /all 4 items are in the history/);
    const [alone] = await answers(dir, '{"user": "ann", "history": [1]}', "--exclude-seen --top 2");
    assert.deepEqual(rows[0].recommendations, alone.recommendations);
  });
});

Deno.test("recommend takes the data's own ids, digits and all, and gives them beside the item numbers", async () => {
  const ids = ["B000000003", "9007199254740993", "Café", "7"];
  const inter = ids.flatMap((_, user) => ids.map((__, n) => `u${user}\t${ids[(user + n) % 4]}\t${n}\n`)).join(
    "",
  );
  await withFiles(
    { "shop/shop.inter": "user_id:token\titem_id:token\ttimestamp:float\n" + inter },
    async (dir) => {
      const made = await inSession(dir, "baseline --model transitions --data shop --out run".split(" "));
      assert.equal(made.code, 0, made.stderr);
      const ask = async (...words: string[]) => {
        const { code, stdout, stderr } = await inSession(dir, [
          "recommend",
          "--run",
          "run",
          "--top",
          "4",
          ...words,
        ]);
        assert.equal(code, 0, stderr);
        return stdout;
      };
      const table = await ask("--history", "B000000003,9007199254740993,id:7");
      assert.deepEqual(
        table.split("\n").slice(1, 4).map((line) => line.trim().split(/ +/).slice(0, 2)),
        [["0", ids[0]], ["1", ids[1]], ["3", ids[3]]],
      );
      const { history, recommendations } = JSON.parse(await ask("--history", "B000000003", "--json"));
      assert.deepEqual(history.map(({ item, id }: { item: number; id: string }) => [item, id]), [[
        0,
        ids[0],
      ]]);
      for (const { item, id } of recommendations) assert.equal(id, ids[item]);
      await Deno.writeTextFile(
        join(dir, "users.jsonl"),
        '{"history": ["Cafe\u0301", 9007199254740993]}\n{"history": ["7"]}\n',
      );
      const rows = (await ask("--file", "users.jsonl")).trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(rows.map(({ historyIds }) => historyIds), [["Café", ids[1]], ["7"]]);
      assert.deepEqual(rows.map(({ history }) => history), [[2, 1], [3]]);
    },
  );
});

Deno.test("recommend by counts reads items alone of a dataset of ours, whose log and samples may be beyond the memory", async () => {
  await withData({}, async (dir) => {
    const run = async (line: string) => {
      const { code, stdout, stderr } = await inSession(dir, line.split(" "));
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await run("convert --from data --to genrec --out ours");
    await run("baseline --model transitions --data ours --out run");
    const ask = "recommend --run run --history 0,1 --exclude-seen --top 2 --json";
    const answer = await run(ask);
    for (const name of ["users", "interactions", "train", "valid", "test"]) {
      await Deno.remove(join(dir, `ours/${name}.parquet`));
    }
    assert.deepEqual(JSON.parse(await run(ask)), JSON.parse(answer));
  });
});
