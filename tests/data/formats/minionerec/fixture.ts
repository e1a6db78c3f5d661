/** A directory of files that make a small MiniOneRec dataset: four items, two users. */
export type Files = Record<string, string>;

const HEADER = "user_id,history_item_title,item_title,history_item_id,item_id,history_item_sid,item_sid";

/** The files; tests change one and look at the message. */
export function minionerecFiles(): Files {
  return {
    "train.csv": [
      HEADER,
      `A0,['Blue Tape'],Bob's Clamp,[0],1,['<a_1><b_2>'],<a_1><b_3>`,
      `A1,['NA'],"Steel Rule, 30 cm",[3],2,['<a_4><b_0>'],<a_2><b_2>`,
      `A0,"['Blue Tape', ""Bob's Clamp""]",NA,"[0, 1]",3,"['<a_1><b_2>', '<a_1><b_3>']",<a_4><b_0>`,
      "",
    ].join("\n"),
    "valid.csv": `${HEADER}\nA1,"['NA', 'Steel Rule, 30 cm']",Blue Tape,"[3, 2]",0,` +
      `"['<a_4><b_0>', '<a_2><b_2>']",<a_1><b_2>\n`,
    "test.csv": `${HEADER}\nA0,"['Bob\\'s Clamp', 'NA']",Blue Tape,"[1, 3]",0,` +
      `"['<a_1><b_3>', '<a_4><b_0>']",<a_1><b_2>\n`,
    "index.json": JSON.stringify({
      0: ["<a_1>", "<b_2>"],
      1: ["<a_1>", "<b_3>"],
      2: ["<a_2>", "<b_2>"],
      3: ["<a_4>", "<b_0>"],
    }),
    "item.json": JSON.stringify({
      0: { title: "Blue Tape", description: "['Sticky.', \"Bob's choice.\"]", brand: "Acme", categories: "" },
      1: { title: "Bob's Clamp", description: "[half a list" },
      2: { title: "Steel Rule, 30 cm", categories: ["Tools", "Rulers"] },
      3: { title: "NA", description: "" },
    }),
    "info.txt": "<a_1><b_2>\tBlue Tape\t0\n<a_1><b_3>\tBob's Clamp\t1\n" +
      "<a_2><b_2>\tSteel Rule, 30 cm\t2\n<a_4><b_0>\tNA\t3\n\n",
  };
}

/** Writes files into a new directory, runs `use` on it and removes it. */
export async function withFiles(files: Files, use: (dir: string) => Promise<void>) {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = `${dir}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text);
    }
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
