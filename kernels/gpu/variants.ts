import { DeviceError } from "./device_error.ts";
import type { ShaderFeature } from "./kernel.ts";
import type { MatrixDtype } from "./tensor.ts";

/** What a variant may need of a device: a feature, matrices that are stored in float16, or how wide a CPU adapter computes. */
export type VariantNeed = ShaderFeature | "float16 storage" | "512-bit vectors";

/** What a device has of it. `description` is that of the adapter, such as "llvmpipe (LLVM 15.0.6, 256 bits)". */
export function haveOf(
  features: ReadonlySet<string>,
  dtype: MatrixDtype,
  description: string,
): ReadonlySet<string> {
  const more: VariantNeed[] = [];
  if (dtype === "f16") more.push("float16 storage");
  if (description.includes("512 bits")) more.push("512-bit vectors");
  return new Set([...features, ...more]);
}

/** One implementation of an operation. */
export interface Variant {
  /** Name for `--variant`. */
  readonly name: string;
  /** What a device must have for it; default: nothing. */
  readonly needs?: readonly VariantNeed[];
}

/**
 * An operation with several implementations, as its kernels describe it. Calls whose shapes are of one class are tuned
 * together: what was asked for first stands for all of them.
 */
export interface Operation<V extends Variant = Variant, Shape = unknown> {
  /** Name for `--variant` and for stored choices. */
  readonly name: string;
  /** The implementations; the first needs nothing. */
  readonly variants: readonly V[];
  /** What serves untuned: one that suits CPU adapters, or GPUs, and needs no more than the device `has`. */
  defaultOf(isCpu: boolean, has: ReadonlySet<string>): V;
  /** Number of the class of a shape, other for other classes. */
  classOf(shape: Shape): number;
  /** Name of that class, such as "ab 2048x256x256"; stored choices are found by it. */
  className(shape: Shape): string;
}

/** An operation that one variant serves whatever the shape. */
export interface PinnedVariant {
  /** What it serves. */
  operation: Operation;
  /** One of the operation's own. */
  variant: Variant;
}

/** Where tuned choices outlive the process; keys and values are short texts. */
export interface ChoiceStore {
  /** The choice under `key`, if one was kept. */
  get(key: string): string | undefined;
  /** Keeps a choice. */
  set(key: string, value: string): void;
}

/** A line for people: which variant serves an operation, and why. */
export interface VariantRow {
  /** "layout", or the name of an operation. */
  operation: string;
  /** A shape class such as "ab 2048x256x256", or "all". */
  shape: string;
  /** Name of what serves it. */
  variant: string;
  /** Untouched, timed on this adapter, or asked for. */
  why: "default" | "tuned" | "override";
}

interface Choice {
  /** The first shape of its class that was asked for. */
  shape: unknown;
  name: string;
  variant: Variant;
  why: "default" | "tuned";
}

/**
 * Which implementation serves a call. Without tuning: the operation's default for this kind of adapter. Every shape
 * class that was asked for is remembered for `autotune()`.
 */
export class Variants {
  #adapter: string;
  #isCpu: boolean;
  #has: ReadonlySet<string>;
  #pinned = new Map<Operation, Variant>();
  #choices = new Map<Operation, Map<number, Choice>>();
  #store: ChoiceStore | undefined;

  /**
   * `adapter` begins the keys of stored choices; `has` is what the device has of what variants need.
   * Throws {@link DeviceError} where a pinned one needs more.
   */
  constructor(
    adapter: string,
    isCpu: boolean,
    pinned: readonly PinnedVariant[] = [],
    has: ReadonlySet<string> = new Set(),
  ) {
    this.#adapter = adapter;
    this.#isCpu = isCpu;
    this.#has = has;
    for (const { operation, variant } of pinned) this.pin(operation, variant.name);
  }

  /** The variants of an operation that this device can run, in their order. */
  candidates<V extends Variant>({ variants }: Operation<V>): V[] {
    return variants.filter((variant) => this.#missing(variant).length === 0);
  }

  /** The variant that serves a call of this shape. */
  of<V extends Variant, Shape>(operation: Operation<V, Shape>, shape: Shape): V {
    const pinned = this.#pinned.get(operation);
    if (pinned) return pinned as V;
    const choices = this.#choicesOf(operation);
    const key = operation.classOf(shape);
    const known = choices.get(key);
    if (known) return known.variant as V;
    const choice = this.#choose(operation, shape, operation.defaultOf(this.#isCpu, this.#has));
    choices.set(key, choice);
    return choice.variant as V;
  }

  /**
   * Serves every call of `operation` with the variant of that name, or by shape again without one.
   * Throws {@link DeviceError} for an unknown name, and where the device lacks what it needs.
   */
  pin(operation: Operation, name: string | undefined): void {
    if (!name) return void this.#pinned.delete(operation);
    const variant = variantOf(operation, name);
    const missing = this.#missing(variant);
    if (missing.length > 0) {
      const able = this.candidates(operation).map(({ name }) => name).join(", ");
      throw new DeviceError(
        `Cannot use variant "${name}" of ${operation.name}: this device has no ${
          missing.join(" and no ")
        }. ` +
          `Use one of ${able}`,
      );
    }
    this.#pinned.set(operation, variant);
  }

  /** Name that `pin()` was given, if any. */
  pinned(operation: Operation): string | undefined {
    return this.#pinned.get(operation)?.name;
  }

  /** Takes the choices of earlier runs from `store` for all shape classes, those seen already and those to come. */
  useStore(store: ChoiceStore): void {
    this.#store = store;
    for (const [operation, choices] of this.#choices) {
      for (const [key, { shape, variant }] of choices) {
        choices.set(key, this.#choose(operation, shape, variant));
      }
    }
  }

  /**
   * Shapes of the classes that were asked for and have no tuned choice yet; none of a pinned operation, nor of one that
   * has a single variant for this device.
   */
  untuned<V extends Variant, Shape>(operation: Operation<V, Shape>): Shape[] {
    if (this.#pinned.has(operation) || this.candidates(operation).length === 1) return [];
    return [...this.#choicesOf(operation).values()]
      .filter(({ why }) => why === "default")
      .map(({ shape }) => shape as Shape);
  }

  /** Serves the class of a shape with the variant `name` from now on, and in later runs that use the same store. */
  adopt<V extends Variant, Shape>(operation: Operation<V, Shape>, shape: Shape, name: string): void {
    const variant = variantOf(operation, name);
    const className = operation.className(shape);
    this.#store?.set(this.#keyOf(operation, className), name);
    this.#choicesOf(operation).set(operation.classOf(shape), {
      shape,
      name: className,
      variant,
      why: "tuned",
    });
  }

  /** One row for an operation that is pinned or was not called yet, else one a shape class. */
  describe(operation: Operation): VariantRow[] {
    const { name } = operation;
    const pinned = this.#pinned.get(operation);
    if (pinned) return [{ operation: name, shape: "all", variant: pinned.name, why: "override" }];
    const choices = [...this.#choicesOf(operation).values()];
    return [
      ...choices.map((choice) => ({
        operation: name,
        shape: choice.name,
        variant: choice.variant.name,
        why: choice.why,
      })),
      {
        operation: name,
        shape: choices.length ? "others" : "all",
        variant: operation.defaultOf(this.#isCpu, this.#has).name,
        why: "default",
      },
    ];
  }

  #choicesOf(operation: Operation): Map<number, Choice> {
    const known = this.#choices.get(operation);
    if (known) return known;
    const made = new Map<number, Choice>();
    this.#choices.set(operation, made);
    return made;
  }

  #choose(operation: Operation, shape: unknown, fallback: Variant): Choice {
    const name = operation.className(shape);
    const stored = this.#store?.get(this.#keyOf(operation, name));
    // A name that this version does not know, or whose needs have gone, is tuned anew.
    const variant = this.candidates(operation).find(({ name }) => name === stored);
    return variant
      ? { shape, name, variant, why: "tuned" }
      : { shape, name, variant: fallback, why: "default" };
  }

  #missing({ needs = [] }: Variant): VariantNeed[] {
    return needs.filter((need) => !this.#has.has(need));
  }

  #keyOf(operation: Operation, className: string): string {
    return `${this.#adapter} | ${operation.name} ${className}`;
  }
}

/** The variant of an operation by its name. Throws {@link DeviceError} for an unknown one. */
export function variantOf(operation: Operation, name: string): Variant {
  const variant = operation.variants.find((variant) => variant.name === name);
  if (variant) return variant;
  const known = operation.variants.map(({ name }) => name).join(", ");
  throw new DeviceError(`Cannot find variant "${name}" of ${operation.name}: expected one of ${known}`);
}

/** Exponent of the smallest power of two that is at least `size`: sizes of one shape class have the same. */
export function bucket(size: number): number {
  return size <= 1 ? 0 : 32 - Math.clz32(size - 1);
}
