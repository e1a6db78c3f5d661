import type { Device } from "./gpu/device.ts";
import { DeviceError } from "./gpu/device_error.ts";
import type { Layout } from "./gpu/tensor.ts";
import { type PinnedVariant, variantOf, type VariantRow } from "./gpu/variants.ts";
import { OPERATIONS } from "./operations.ts";

/** What serves this device, for `doctor`: its layout, then a row an operation or shape class. */
export function describeVariants(device: Device): VariantRow[] {
  const usual: Layout = device.isCpu ? "texture" : "buffer";
  const why = device.layout === usual ? "default" : "override";
  return [
    { operation: "layout", shape: "all", variant: device.layout, why },
    ...OPERATIONS.flatMap((operation) => device.variants.describe(operation)),
  ];
}

/**
 * Reads `--variant`: parts such as "matmul=shared", "attention=rows" or "layout=buffer", separated by commas. A name
 * alone goes for every operation that has a variant of that name. Throws {@link DeviceError} for unknown names.
 */
export function parseVariants(text: string): { layout?: Layout; variants: PinnedVariant[] } {
  const known: Record<string, readonly string[]> = {
    ...Object.fromEntries(
      OPERATIONS.map(({ name, variants }) => [name, variants.map(({ name }) => name)]),
    ),
    layout: ["texture", "buffer"] satisfies Layout[],
  };
  const chosen = new Map<string, string>();
  for (const part of text.split(",").map((part) => part.trim()).filter(Boolean)) {
    const [left, right] = part.split("=").map((word) => word.trim());
    const names = Object.keys(known).filter((name) =>
      right === undefined ? known[name].includes(left) : name === left
    );
    const variant = right ?? left;
    if (!names.length || !names.every((name) => known[name].includes(variant))) {
      const choices = Object.entries(known).map(([name, variants]) => `${name}=${variants.join("|")}`);
      throw new DeviceError(
        `Cannot use variant "${part}": expected ${choices.join(", ")}, or a name alone such as "shared"`,
      );
    }
    for (const name of names) chosen.set(name, variant);
  }
  const layout = chosen.get("layout") as Layout | undefined;
  const variants = OPERATIONS.flatMap((operation) => {
    const name = chosen.get(operation.name);
    return name ? [{ operation, variant: variantOf(operation, name) }] : [];
  });
  return { ...(layout ? { layout } : {}), variants };
}
