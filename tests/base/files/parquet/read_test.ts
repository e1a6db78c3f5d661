import { deepStrictEqual, ok, rejects } from "node:assert/strict";
import { decodingTime, ParquetReader, readParquet } from "../../../../base/files/parquet/read.ts";
import type { TableType } from "../../../../base/files/parquet/table.ts";
import { formatParquet } from "./whole_table.ts";
import { UserError } from "../../../../base/user_error.ts";

const TYPE = {
  integer: { kind: "integer" },
  long: { kind: "long", nullable: true },
  number: { kind: "number", nullable: true },
  text: { kind: "text", nullable: true },
  integers: { kind: "integers" },
  texts: { kind: "texts", nullable: true },
} as const satisfies TableType;

const TABLE = {
  integer: [0, -2147483648, 2147483647],
  long: [1_541_030_400, null, 2 ** 52],
  number: [0.1, null, -0],
  text: ["NA", "", null],
  integers: [[1, 2, 3], [], [0]],
  texts: [["é", ""], [], null],
};

async function withBytes(bytes: Uint8Array, use: (path: string) => Promise<void>) {
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  try {
    await Deno.writeFile(path, bytes);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("readParquet() gives back every kind of cell, nulls, empty texts and empty lists", async () => {
  await withBytes(await formatParquet(TYPE, TABLE), async (path) => {
    deepStrictEqual(await readParquet(path, TYPE), TABLE);
    deepStrictEqual(await readParquet(path, { text: TYPE.text }), { text: TABLE.text });
  });
});

Deno.test("a reader that is asked for several tables at one time reads each of them, beside one that is refused", async () => {
  await withBytes(await formatParquet(TYPE, TABLE), async (path) => {
    await withBytes(Uint8Array.of(1, 2, 3), async (bad) => {
      using reader = new ParquetReader();
      const [first, refused, second] = await Promise.allSettled([
        reader.read(path, TYPE),
        reader.read(bad, TYPE),
        reader.read(path, { text: TYPE.text }),
      ]);
      deepStrictEqual(first, { status: "fulfilled", value: TABLE });
      ok(refused.status === "rejected" && refused.reason instanceof UserError);
      deepStrictEqual(second, { status: "fulfilled", value: { text: TABLE.text } });
    });
  });
});

Deno.test("readParquet() reads a table without rows and one of several row groups", async () => {
  const type = { row: { kind: "integer" }, list: { kind: "integers" } } as const;
  await withBytes(await formatParquet(type, { row: [], list: [] }), async (path) => {
    deepStrictEqual(await readParquet(path, type), { row: [], list: [] });
    using reader = new ParquetReader();
    deepStrictEqual(await Array.fromAsync(reader.groups(path, type)), [{ row: [], list: [] }]);
  });
  const row = Array.from({ length: 250_000 }, (_, i) => i);
  const list = row.map((i) => i % 3 === 0 ? [] : [i, i + 1]);
  await withBytes(await formatParquet(type, { row, list }), async (path) => {
    const read = await readParquet(path, type);
    using reader = new ParquetReader();
    const groups = await Array.fromAsync(reader.groups(path, type));
    ok(groups.length > 2 && groups.every(({ row }) => row.length <= 100_000), `${groups.length} groups`);
    deepStrictEqual(groups.flatMap(({ row }) => row), row);
    deepStrictEqual(groups.at(-1)!.list.at(-1), list.at(-1));
    ok(read.row.length === row.length && read.row.every((value, i) => value === i));
    deepStrictEqual(read.list[249_999], list[249_999]);
    deepStrictEqual(read.list[100_001], list[100_001]);
  });
});

Deno.test("readParquet() takes a nullable column that is missing for one of nulls", async () => {
  await withBytes(await formatParquet({ integer: TYPE.integer }, { integer: [1, 2] }), async (path) => {
    const read = await readParquet(path, { integer: TYPE.integer, text: TYPE.text });
    deepStrictEqual(read.text, [null, null]);
  });
});

Deno.test("readParquet() names the file and column of what is not as it should be", async () => {
  const cases: [TableType, RegExp][] = [
    [{ gone: { kind: "text" } }, /expected a column gone, found \["integer","long"/],
    [{ long: { kind: "long" } }, /column long: expected a value in every row, found null\. See row 1/],
    [{ text: { kind: "integer" } }, /column text: expected integer, found "BYTE_ARRAY"/],
    [{ integers: { kind: "texts" } }, /column integers: expected lists of texts, found "lists of INT32"/],
    [{ integer: { kind: "integers" } }, /column integer: expected lists of integers, found "INT32"/],
    [{ texts: { kind: "text" } }, /column texts: expected text, found/],
  ];
  await withBytes(await formatParquet(TYPE, TABLE), async (path) => {
    for (const [type, message] of cases) {
      await rejects(readParquet(path, type), (error) => {
        ok(error instanceof UserError && error.message.includes(path), `${error}`);
        return message.test(error.message) || (console.log(error.message), false);
      });
    }
  });
});

Deno.test("readParquet() refuses files that are cut off or no Parquet", async () => {
  const bytes = await formatParquet(TYPE, TABLE);
  for (
    const cut of [bytes.slice(0, 0), bytes.slice(0, bytes.length - 9), new TextEncoder().encode("id,title\n")]
  ) {
    await withBytes(
      cut,
      (path) => rejects(readParquet(path, TYPE), /UserError: Cannot read .* expected a Parquet file, but/),
    );
  }
});

Deno.test("a file whose columns fail one after the other is told once, and its reader lives on", async () => {
  const type = {
    integer: TYPE.integer,
    texts: { kind: "texts" },
    text: TYPE.text,
    integers: TYPE.integers,
  } as const;
  const sound = await formatParquet(type, {
    integer: [1, 2, 3],
    texts: [["a"], [], ["b", "c"]],
    text: ["NA", "", null],
    integers: [[1], [2, 3], []],
  });
  const bytes = sound.slice();
  // A page of the texts, and the path of the last column, which throws before anything waits for the texts.
  bytes[Math.floor(0.0942525863647461 * bytes.length)] ^= 253;
  bytes[Math.floor(0.8485498428344727 * bytes.length)] ^= 199;
  const worker = new Worker(new URL("../../../../base/files/parquet/worker.ts", import.meta.url), {
    type: "module",
  });
  const replies: string[] = [], errors: string[] = [];
  worker.onmessage = ({ data }) => replies.push(data.problem ?? Object.keys(data)[0]);
  worker.onerror = (event) => {
    event.preventDefault();
    errors.push(event.message);
  };
  const until = async (count: number) => {
    while (replies.length + errors.length < count) await new Promise((resume) => setTimeout(resume, 5));
  };
  try {
    await until(1);
    await withBytes(bytes, async (path) => {
      worker.postMessage({ path, rows: { type, group: 0 } });
      await until(2);
    });
    await withBytes(sound, async (path) => {
      worker.postMessage({ path, rows: { type, group: 0 } });
      await until(3);
    });
  } finally {
    worker.terminate();
  }
  deepStrictEqual([replies.length, errors], [3, []]);
  ok(
    /^Cannot read \S+\.parquet: expected a Parquet file, but parquet schema element not found/.test(
      replies[1],
    ),
  );
  deepStrictEqual(replies[2], "table");
});

// The byte that makes a length of a page header run over its end: hyparquet 1.31 reads it without end.
Deno.test("readParquet() ends with an error, and the program lives on, where a byte of a file is damaged", async () => {
  const sound = await formatParquet(TYPE, TABLE);
  using reader = new ParquetReader();
  for (let at = 4; at < sound.length; at += 97) {
    const bytes = sound.slice();
    bytes[at] ^= 0xff;
    await withBytes(bytes, async (path) => {
      await reader.read(path, TYPE).catch((error) => ok(error instanceof UserError, `byte ${at}: ${error}`));
    });
  }
  await withBytes(sound, async (path) => deepStrictEqual(await reader.read(path, TYPE), TABLE));
});

Deno.test("a page that sends its reader back to itself is refused, and the same reader reads on", async () => {
  const type = { text: TYPE.text }, table = { text: TABLE.text };
  const sound = await formatParquet(type, table), bytes = sound.slice();
  bytes[11] ^= 133; // the length of the first page
  using reader = new ParquetReader();
  await withBytes(bytes, (path) => rejects(reader.read(path, type), /it is damaged: its parts overlap/));
  await withBytes(sound, async (path) => deepStrictEqual(await reader.read(path, type), table));
});

Deno.test("a decoder's time is what the processor gave it, and a fiftieth of the wait at least", () => {
  deepStrictEqual(decodingTime(10, 9.5), 9.5);
  deepStrictEqual(decodingTime(10, 40), 10); // other threads of the process
  deepStrictEqual(decodingTime(100, 8), 8);
  deepStrictEqual(decodingTime(500, 0), 10);
});

Deno.test("sizes() gives rows and values of each column without reading them, and refuses what is no Parquet", async () => {
  using reader = new ParquetReader();
  await withBytes(await formatParquet(TYPE, TABLE), async (path) => {
    const { rows, values } = await reader.sizes(path);
    ok(rows === 3 && values.integer === 3);
    ok(values.integers === 5); // 3, an empty list and 1
  });
  await withBytes(Uint8Array.of(1, 2, 3), async (path) => {
    await rejects(reader.sizes(path), /expected a Parquet file/);
  });
});
