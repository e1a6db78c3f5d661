/** What an adapter does at most, as its maker publishes it. */
export interface PeakRates {
  /** As adapters call it. */
  name: RegExp;
  /** float32 arithmetic outside of tensor cores, in FLOP/s. */
  f32: number;
  /** The same of float16, where the maker tells it. */
  f16?: number;
  /** Bytes/s between memory and the chip. */
  bandwidth: number;
  /** Where it stands. */
  source: string;
}

const TERA = 1e12;
const GIGA = 1e9;

/** Boost rates without sparsity. The first name that fits counts, so longer ones come first. */
const PUBLISHED: readonly PeakRates[] = [
  {
    name: /H200/,
    f32: 67 * TERA,
    f16: 134 * TERA,
    bandwidth: 4800 * GIGA,
    source: "NVIDIA H200 datasheet; float16 as in the H100 whitepaper",
  },
  {
    name: /H100.*(PCIe|NVL)/,
    f32: 51 * TERA,
    f16: 102 * TERA,
    bandwidth: 2000 * GIGA,
    source: "NVIDIA H100 whitepaper, PCIe",
  },
  {
    name: /H100/,
    f32: 67 * TERA,
    f16: 134 * TERA,
    bandwidth: 3350 * GIGA,
    source: "NVIDIA H100 datasheet, SXM",
  },
  {
    name: /A100.*80/,
    f32: 19.5 * TERA,
    f16: 78 * TERA,
    bandwidth: 2039 * GIGA,
    source: "NVIDIA A100 datasheet and whitepaper, SXM 80 GB",
  },
  {
    name: /A100/,
    f32: 19.5 * TERA,
    f16: 78 * TERA,
    bandwidth: 1555 * GIGA,
    source: "NVIDIA A100 datasheet and whitepaper, 40 GB",
  },
  { name: /L40S/, f32: 91.6 * TERA, bandwidth: 864 * GIGA, source: "NVIDIA L40S datasheet" },
  { name: /\bL4\b/, f32: 30.3 * TERA, bandwidth: 300 * GIGA, source: "NVIDIA L4 datasheet" },
  { name: /\bT4\b/, f32: 8.1 * TERA, bandwidth: 320 * GIGA, source: "NVIDIA T4 datasheet" },
  {
    name: /RTX 4090/,
    f32: 82.6 * TERA,
    f16: 82.6 * TERA,
    bandwidth: 1008 * GIGA,
    source: "NVIDIA Ada GPU architecture whitepaper",
  },
  {
    name: /RTX 3090/,
    f32: 35.6 * TERA,
    f16: 35.6 * TERA,
    bandwidth: 936 * GIGA,
    source: "NVIDIA GA102 whitepaper",
  },
];

/** The published rates of an adapter of this name; undefined where it is not in the table. */
export function peakRatesOf(adapter: string): PeakRates | undefined {
  return PUBLISHED.find(({ name }) => name.test(adapter));
}
