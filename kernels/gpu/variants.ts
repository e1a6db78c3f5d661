import type { AttentionShape, AttentionVariant } from "../attention/attention.ts";
import { pairsVariant, rowsVariant } from "../attention/attention_registers.ts";
import { sharedAttentionVariant } from "../attention/attention_shared.ts";
import type { Device } from "./device.ts";
import { DeviceError } from "./device_error.ts";
import type { Layout } from "./tensor.ts";
import { type MatmulForm, type MatmulVariant, tilesVariant } from "../matmul/matmul.ts";
import { sharedLargeVariant, sharedSmallVariant, sharedVariant } from "../matmul/matmul_shared.ts";

/** The implementations of each operation that has several; the first is right wherever WebGPU is. */
export const MATMUL_VARIANTS: readonly MatmulVariant[] = [
  tilesVariant,
  sharedVariant,
  sharedSmallVariant,
  sharedLargeVariant,
];
/** As {@link MATMUL_VARIANTS}, of packed tree attention. */
export const ATTENTION_VARIANTS: readonly AttentionVariant[] = [
  rowsVariant,
  pairsVariant,
  sharedAttentionVariant,
];

/** Variant names by operation; what is absent is chosen by shape. */
export interface VariantNames {
  /** One of {@link MATMUL_VARIANTS}. */
  matmul?: string;
  /** One of {@link ATTENTION_VARIANTS}. */
  attention?: string;
}

/** Where tuned choices outlive the process; keys and values are short texts. */
export interface ChoiceStore {
  /** The choice under `key`, if one was kept. */
  get(key: string): string | undefined;
  /** Keeps a choice. */
  set(key: string, value: string): void;
}

/** Operations that have variants. */
export type Operation = keyof VariantNames;

/** Calls that are tuned together: what was asked for first stands for all sizes of the same powers of two. */
export type ShapeClass =
  | { operation: "matmul"; name: string; form: MatmulForm; rows: number; cols: number; inner: number }
  | {
    operation: "attention";
    name: string;
    pass: "forward" | "backward";
    rows: number;
    shape: AttentionShape;
  };

interface Choice<V> {
  shape: ShapeClass;
  variant: V;
  why: "default" | "tuned";
}

/** A line for people: which variant serves an operation, and why. */
export interface VariantRow {
  /** "layout", "matmul" or "attention". */
  operation: string;
  /** A shape class such as "ab 2048x256x256", or "all". */
  shape: string;
  /** Name of what serves it. */
  variant: string;
  /** Untouched, timed on this adapter, or asked for. */
  why: "default" | "tuned" | "override";
}

const FORMS = ["ab", "abt", "atb"] as const;

/**
 * Which implementation serves a call. Without tuning: barrier-free tiles and pairs on CPU adapters, tiles in workgroup
 * memory on GPUs. Every shape class that was asked for is remembered for `autotune()`.
 */
export class Variants {
  #defaults: { matmul: MatmulVariant; attention: AttentionVariant };
  #pinned: { matmul?: MatmulVariant; attention?: AttentionVariant } = {};
  #matmul = new Map<number, Choice<MatmulVariant>>();
  #attention = new Map<number, Choice<AttentionVariant>>();
  #store: ChoiceStore | undefined;
  #adapter: string;

  /** `adapter` begins the keys of stored choices; `names` pins operations. Throws {@link DeviceError} for unknown names. */
  constructor(adapter: string, isCpu: boolean, names: VariantNames = {}) {
    this.#adapter = adapter;
    this.#defaults = isCpu
      ? { matmul: tilesVariant, attention: pairsVariant }
      : { matmul: sharedVariant, attention: sharedAttentionVariant };
    this.pin("matmul", names.matmul);
    this.pin("attention", names.attention);
  }

  /** Variant for a result (rows, cols) that is summed over `inner`. */
  matmul(form: MatmulForm, rows: number, cols: number, inner: number): MatmulVariant {
    if (this.#pinned.matmul) return this.#pinned.matmul;
    const key = ((FORMS.indexOf(form) * 32 + bucket(rows)) * 32 + bucket(cols)) * 32 + bucket(inner);
    const known = this.#matmul.get(key);
    if (known) return known.variant;
    const name = `${form} ${2 ** bucket(rows)}x${2 ** bucket(cols)}x${2 ** bucket(inner)}`;
    const shape: ShapeClass = { operation: "matmul", name, form, rows, cols, inner };
    const choice = this.#choose(shape, MATMUL_VARIANTS, this.#defaults.matmul);
    this.#matmul.set(key, choice);
    return choice.variant;
  }

  /** Variant for `rows` queries of `shape`. */
  attention(pass: "forward" | "backward", rows: number, shape: AttentionShape): AttentionVariant {
    if (this.#pinned.attention) return this.#pinned.attention;
    const { heads, kvHeads, headDim } = shape;
    const size = Number(pass === "backward") * 32 + bucket(rows);
    const key = ((size * 1024 + heads) * 1024 + kvHeads) * 256 + headDim;
    const known = this.#attention.get(key);
    if (known) return known.variant;
    const name = `${pass} ${2 ** bucket(rows)}x${heads}/${kvHeads}x${headDim}`;
    const choice = this.#choose<AttentionVariant>(
      { operation: "attention", name, pass, rows, shape },
      ATTENTION_VARIANTS,
      this.#defaults.attention,
    );
    this.#attention.set(key, choice);
    return choice.variant;
  }

  /** Serves every call of `operation` with the variant of that name, or by shape again without one. */
  pin(operation: Operation, name: string | undefined): void {
    if (operation === "matmul") this.#pinned.matmul = name ? named(MATMUL_VARIANTS, name) : undefined;
    else this.#pinned.attention = name ? named(ATTENTION_VARIANTS, name) : undefined;
  }

  /** Name that `pin()` was given, if any. */
  pinned(operation: Operation): string | undefined {
    return this.#pinned[operation]?.name;
  }

  /** Takes the choices of earlier runs from `store` for all shape classes, those seen already and those to come. */
  useStore(store: ChoiceStore): void {
    this.#store = store;
    for (const [key, { shape, variant }] of this.#matmul) {
      this.#matmul.set(key, this.#choose(shape, MATMUL_VARIANTS, variant));
    }
    for (const [key, { shape, variant }] of this.#attention) {
      this.#attention.set(key, this.#choose(shape, ATTENTION_VARIANTS, variant));
    }
  }

  /** Shape classes that were asked for and have no tuned choice yet; none of pinned operations. */
  untuned(): ShapeClass[] {
    return [...this.#matmul.values(), ...this.#attention.values()]
      .filter(({ shape, why }) => why === "default" && !this.#pinned[shape.operation])
      .map(({ shape }) => shape);
  }

  /** Serves a shape class with the variant `name` from now on, and in later runs that use the same store. */
  adopt(shape: ShapeClass, name: string): void {
    this.#store?.set(this.#keyOf(shape), name);
    for (const choice of this.#matmul.values()) {
      if (choice.shape !== shape) continue;
      choice.variant = named(MATMUL_VARIANTS, name);
      choice.why = "tuned";
    }
    for (const choice of this.#attention.values()) {
      if (choice.shape !== shape) continue;
      choice.variant = named(ATTENTION_VARIANTS, name);
      choice.why = "tuned";
    }
  }

  /** One row for an operation that is pinned or was not called yet, else one a shape class. */
  describe(): VariantRow[] {
    const rowsOf = (operation: Operation, choices: Choice<{ name: string }>[]): VariantRow[] => {
      const pinned = this.#pinned[operation];
      if (pinned) return [{ operation, shape: "all", variant: pinned.name, why: "override" }];
      const rest: VariantRow = {
        operation,
        shape: choices.length ? "others" : "all",
        variant: this.#defaults[operation].name,
        why: "default",
      };
      return [
        ...choices.map(({ shape, variant, why }) => ({
          operation,
          shape: shape.name,
          variant: variant.name,
          why,
        })),
        rest,
      ];
    };
    return [
      ...rowsOf("matmul", [...this.#matmul.values()]),
      ...rowsOf("attention", [...this.#attention.values()]),
    ];
  }

  #choose<V extends { name: string }>(shape: ShapeClass, variants: readonly V[], fallback: V): Choice<V> {
    const stored = this.#store?.get(this.#keyOf(shape));
    // A name that this version does not know is tuned anew.
    const variant = variants.find(({ name }) => name === stored);
    return variant ? { shape, variant, why: "tuned" } : { shape, variant: fallback, why: "default" };
  }

  #keyOf({ operation, name }: ShapeClass): string {
    return `${this.#adapter} | ${operation} ${name}`;
  }
}

/** What serves this device, for `doctor`: its layout, then a row an operation or shape class. */
export function describeVariants(device: Device): VariantRow[] {
  const usual: Layout = device.isCpu ? "texture" : "buffer";
  const why = device.layout === usual ? "default" : "override";
  return [{ operation: "layout", shape: "all", variant: device.layout, why }, ...device.variants.describe()];
}

/**
 * Reads `--variant`: parts such as "matmul=shared", "attention=rows" or "layout=buffer", separated by commas. A name
 * alone goes for every operation that has a variant of that name. Throws {@link DeviceError} for unknown names.
 */
export function parseVariants(text: string): { layout?: Layout; variants: VariantNames } {
  const known: Record<string, readonly string[]> = {
    matmul: MATMUL_VARIANTS.map(({ name }) => name),
    attention: ATTENTION_VARIANTS.map(({ name }) => name),
    layout: ["texture", "buffer"] satisfies Layout[],
  };
  const chosen: Record<string, string> = {};
  for (const part of text.split(",").map((part) => part.trim()).filter(Boolean)) {
    const [left, right] = part.split("=").map((word) => word.trim());
    const operations = Object.keys(known).filter((operation) =>
      right === undefined ? known[operation].includes(left) : operation === left
    );
    const name = right ?? left;
    if (!operations.length || !operations.every((operation) => known[operation].includes(name))) {
      const choices = Object.entries(known).map(([operation, names]) => `${operation}=${names.join("|")}`);
      throw new DeviceError(
        `Cannot use variant "${part}": expected ${choices.join(", ")}, or a name alone such as "shared"`,
      );
    }
    for (const operation of operations) chosen[operation] = name;
  }
  const { layout, ...variants } = chosen;
  return { ...(layout ? { layout: layout as Layout } : {}), variants };
}

/** Exponent of the smallest power of two that is at least `size`. */
function bucket(size: number): number {
  return size <= 1 ? 0 : 32 - Math.clz32(size - 1);
}

function named<V extends { name: string }>(variants: readonly V[], name: string): V {
  const variant = variants.find((variant) => variant.name === name);
  if (variant) return variant;
  throw new DeviceError(
    `Cannot find variant "${name}": expected one of ${variants.map(({ name }) => name).join(", ")}`,
  );
}
