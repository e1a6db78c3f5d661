/** A name, its help and its labels, as Prometheus has them. */
type LabelValues = Readonly<Record<string, string | number>>;

const escaped = (text: string) =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

function labelled(name: string, labels: LabelValues): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(String(value))}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

/** Something measured. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** Lines of the text format, without the comments. */
  lines(): string[];
}

/** Counts events by their labels. */
export class Counter implements Metric {
  readonly type = "counter";
  readonly #counts = new Map<string, number>();

  constructor(readonly name: string, readonly help: string) {}

  /** Adds `amount` to what is counted under these labels. */
  add(labels: LabelValues = {}, amount = 1): void {
    const key = labelled(this.name, labels);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + amount);
  }

  lines(): string[] {
    return [...this.#counts].map(([key, count]) => `${key} ${count}`);
  }
}

/** A value that goes up and down, asked for when somebody looks. */
export class Gauge implements Metric {
  readonly type = "gauge";

  /** `read` gives values and their labels. */
  constructor(
    readonly name: string,
    readonly help: string,
    readonly read: () => readonly (readonly [value: number, labels: LabelValues])[],
  ) {}

  lines(): string[] {
    return this.read().map(([value, labels]) => `${labelled(this.name, labels)} ${value}`);
  }
}

/** How values are distributed, by labels. */
export class Histogram implements Metric {
  readonly type = "histogram";
  readonly #series = new Map<string, { labels: LabelValues; counts: number[]; sum: number }>();

  /** `bounds` are the upper ends of the buckets, ascending. */
  constructor(readonly name: string, readonly help: string, readonly bounds: readonly number[]) {}

  /** Adds a value. */
  observe(value: number, labels: LabelValues = {}): void {
    const key = labelled("", labels);
    let series = this.#series.get(key);
    if (!series) {
      series = { labels, counts: Array(this.bounds.length + 1).fill(0), sum: 0 };
      this.#series.set(key, series);
    }
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    series.counts[bucket < 0 ? this.bounds.length : bucket]++;
    series.sum += value;
  }

  lines(): string[] {
    return [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const buckets = counts.map((count, i) => {
        const le = this.bounds[i] ?? "+Inf";
        return `${labelled(`${this.name}_bucket`, { ...labels, le })} ${total += count}`;
      });
      return [
        ...buckets,
        `${labelled(`${this.name}_sum`, labels)} ${sum}`,
        `${labelled(`${this.name}_count`, labels)} ${total}`,
      ];
    });
  }
}

/** Metrics in the text format of Prometheus, version 0.0.4. */
export function prometheusText(metrics: readonly Metric[]): string {
  return metrics.map((metric) =>
    [`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`, ...metric.lines()]
      .join("\n") + "\n"
  ).join("");
}
