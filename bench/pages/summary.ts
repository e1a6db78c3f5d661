/** What BENCHMARKS.md and README.md show of docs/benchmarks/*.json. */
import { type Cell, digits, findCell, markdownTable, type Measurements, shownCell } from "./page.ts";

/** The measurements of all pages, by name of the page. */
export type Pages = Readonly<Record<string, Measurements>>;

interface Line {
  row: string;
  /** Page and measurement. */
  from: [page: string, measurement: string];
  /** Row of the measurement's table by its first cell. */
  at: string;
  /** Contender whose line of that row it is, by the second cell. Default: the first. */
  contender?: string;
  columns: string[];
  /** Heading of the page that the link leads to. */
  heading: string;
  /** Which of several commands, and of several commits, made the row; the first. */
  command?: number;
  commit?: number;
}

const TOP10 = ["HR@10", "NDCG@10"];
const MAIN: [string, string] = ["industrial", "main"];
const BASELINES: Pick<Line, "from" | "columns" | "heading"> = {
  from: ["industrial", "baselines"],
  columns: TOP10,
  heading: "Every baseline beside it",
};
const REINFORCED: Pick<Line, "from" | "columns" | "heading" | "command"> = {
  from: ["reinforcement", "main"],
  columns: TOP10,
  heading: "Does it help?",
  command: 2,
};
const INSTRUMENTS: Pick<Line, "from" | "columns" | "heading"> = {
  from: ["instruments", "recommenders"],
  columns: ["R@10", "N@10"],
  heading: "SASRec, TIGER, ETEGRec",
};

const TRAIN: Pick<Line, "from" | "heading"> = {
  from: ["industrial", "products"],
  heading: "One command on more and less data",
};

/** All of Industrial in that table. */
const PRODUCT_ROW = "minionerec-industrial, 3 seeds";

const LINES: Line[] = [
  {
    row: "Industrial, N@10: train, counts, SASRec",
    at: PRODUCT_ROW,
    columns: ["genrec train", "counts, NDCG@10", "SASRec"],
    ...TRAIN,
  },
  {
    row: "Industrial: decoder, HR@10, NDCG@10",
    from: MAIN,
    at: "genrec decoder, mean",
    columns: TOP10,
    heading: "Main result",
  },
  { row: "the same, reinforced", at: "reinforced, 3 seeds", ...REINFORCED },
  {
    row: "decoder and GRU4Rec of train, ranked",
    from: ["industrial", "rank-of-train"],
    at: "ranker",
    columns: TOP10,
    heading: "The ranker of genrec train",
  },
  {
    row: "the decoder alone, taught by it",
    from: ["reinforcement", "taught-industrial"],
    at: "taught",
    columns: TOP10,
    heading: "Taught by a ranker",
  },
  { row: "Industrial: SASRec", at: "SASRec", ...BASELINES },
  { row: "Industrial: TIGER", at: "TIGER", ...BASELINES, command: 1, commit: 1 },
  {
    row: "Instruments: train, R@10, N@10",
    at: "letter-instruments",
    columns: ["its HR@10", "genrec train"],
    ...TRAIN,
  },
  {
    row: "Instruments: TIGER",
    at: "TIGER, our SIDs of SASRec's vectors, 8",
    ...INSTRUMENTS,
    command: 1,
    commit: 1,
  },
  { row: "Instruments: ETEGRec", at: "ETEGRec finetuned, 2 more", ...INSTRUMENTS, command: 2, commit: 1 },
  {
    row: "SIDs: `rqkmeans` fused, test NDCG@10",
    from: ["semantic_ids", "indexes"],
    at: "rqkmeans fused",
    columns: ["test NDCG@10"],
    heading: "Do the SIDs help?",
  },
  {
    row: "10 million reviews to a dataset",
    from: ["data", "preparation"],
    at: "time",
    columns: ["value"],
    heading: "Data preparation",
  },
  {
    row: "embeddings: TF-IDF, valid @10",
    from: ["data", "embeddings"],
    at: "static, TF-IDF (the default)",
    columns: ["valid @10"],
    heading: "Embeddings",
  },
  {
    row: "shared prompts, ms an update",
    from: ["reinforcement", "shared-prompts"],
    at: "shared",
    columns: ["ms an update"],
    heading: "Shared prompts in an update",
  },
  {
    row: "evaluation: times transformers' speed",
    from: ["beside_pytorch", "evaluation"],
    at: "15 tokens, 256 users",
    columns: ["genrec is faster by"],
    heading: "Evaluation beside transformers",
  },
  {
    row: "T5 step: PyTorch / ours",
    from: ["beside_pytorch", "t5-step"],
    at: "small",
    columns: ["theirs / ours"],
    heading: "Encoder-decoder and SASRec",
  },
  {
    row: "matmul 1024^3: onnxruntime / ours",
    from: ["kernels", "kernels"],
    at: "matmul 1024x1024 1024x1024",
    contender: "onnxruntime cpu",
    columns: ["peer / ours"],
    heading: "Results",
  },
  {
    row: "step, width 128: PyTorch / ours",
    from: ["kernels", "step"],
    at: "training step, 4 layers, width 128, 2048 tokens",
    contender: "transformers torch cpu",
    columns: ["peer / ours"],
    heading: "Results",
  },
  {
    row: "step, width 256: PyTorch / ours",
    from: ["kernels", "step"],
    at: "training step, 4 layers, width 256, 2048 tokens",
    contender: "transformers torch cpu",
    columns: ["peer / ours"],
    heading: "Results",
  },
  {
    row: "SASRec epoch: PyTorch / ours",
    from: ["beside_pytorch", "sasrec-epoch"],
    at: "256 packed items a step",
    columns: ["theirs / ours"],
    heading: "Encoder-decoder and SASRec",
  },
  {
    row: "k-means of 100,000 x 384: faiss / ours",
    from: ["semantic_ids", "clustering-speed"],
    at: "fit, 25 updates, 100000 x 384, K 256",
    columns: ["peer / ours"],
    heading: "Speed of k-means on the CPU adapter",
  },
];

/** The table of BENCHMARKS.md: row, figure, command, commit, link. */
export function benchmarksTable(pages: Pages): string {
  return markdownTable(
    ["row", "figure", "command", "commit", "page"],
    LINES.map(
      ({ row, from: [page, measurement], at, contender, columns, heading, command = 0, commit = 0 }) => {
        const measured = pages[page][measurement];
        const figures = columns.map((column) => shownCell(...findCell(measured, at, column, contender)));
        return [
          row,
          figures.join(", "),
          `\`${briefCommand(measured.command.filter((line) => /^\S/.test(line))[command])}\``,
          [...measured.commit?.matchAll(/\b[0-9a-f]{7}\b/g) ?? []].map(([id]) => id)[commit] ?? "",
          `[${page.replaceAll("_", " ")}](docs/benchmarks/${page}.md#${anchorOf(heading)})`,
        ];
      },
    ),
  );
}

/** HR@10 and NDCG@10 on Industrial's test split by system, worst first. */
export function industrialResults(pages: Pages): { system: string; hr10: number; ndcg10: number }[] {
  const at = (system: string, [page, measurement]: string[], row: string, columns = TOP10) => {
    const [hr10, ndcg10] = columns.map((column) =>
      meanOf(findCell(pages[page][measurement], row, column)[0])
    );
    return { system, hr10, ndcg10 };
  };
  const published = ["industrial", "published"];
  const reinforced = ["reinforcement", "main"];
  return [
    at("bestsellers", MAIN, "popularity"),
    at("SASRec, as published", published, "SASRec"),
    at("TIGER, as published", published, "TIGER"),
    at("transition counts", MAIN, "transitions"),
    at("genrec decoder", MAIN, "genrec decoder, mean"),
    at("MiniOneRec, as published", published, "MiniOneRec (Qwen2.5, eight GPUs)"),
    at("genrec, reinforced", reinforced, "reinforced, 3 seeds"),
    at("genrec, mixed with counts", reinforced, "after, mixed with counts"),
    at("genrec, taught by a ranker", ["reinforcement", "taught-industrial"], "taught"),
    at("genrec, ranked", ["industrial", "products"], PRODUCT_ROW, ["its HR@10", "genrec train"]),
  ];
}

/** The results of README.md in one row. */
export function resultsTable(pages: Pages): string {
  const shown = [
    "genrec decoder",
    "genrec, taught by a ranker",
    "genrec, ranked",
    "MiniOneRec, as published",
  ];
  const results = industrialResults(pages).filter(({ system }) => shown.includes(system));
  const sorted = shown.map((name) => results.find(({ system }) => system === name)!);
  return markdownTable(
    ["", ...sorted.map(({ system }) => system)],
    [["HR@10 / NDCG@10", ...sorted.map(({ hr10, ndcg10 }) => `${digits(hr10)} / ${digits(ndcg10)}`)]],
  );
}

const BLOCK = /<!-- summary: (\w+) -->\n[\s\S]*?<!-- \/summary -->/g;

/** `text` with its summaries made anew. */
export function renderSummaries(text: string, pages: Pages): string {
  const tables: Record<string, (pages: Pages) => string> = {
    benchmarks: benchmarksTable,
    results: resultsTable,
  };
  return text.replaceAll(
    BLOCK,
    (_, name: string) => `<!-- summary: ${name} -->\n\n${tables[name](pages)}\n\n<!-- /summary -->`,
  );
}

function meanOf(cell: Cell): number {
  if (typeof cell === "number") return cell;
  if (typeof cell === "object" && "mean" in cell) return cell.mean;
  throw new Error(
    `Cannot take the mean of ${JSON.stringify(cell)}: expected a number, or a mean with its deviation`,
  );
}

/** `bench/results/sids.ts` of `deno run -A bench/results/sids.ts --test`, `genrec embed` of `./genrec embed --data …`. */
function briefCommand(command: string): string {
  const words = command.split(" ");
  return words[0] === "deno" ? words[3] : `genrec ${words[1]}`;
}

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-");
}
