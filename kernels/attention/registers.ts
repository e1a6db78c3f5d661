import type { AttentionKernels, AttentionVariant } from "./variant.ts";
import type { Kernel } from "../gpu/kernel.ts";
import neighboursBackwardCode from "./neighbours_backward.wgsl" with { type: "text" };
import neighboursCode from "./neighbours.wgsl" with { type: "text" };
import rowsBackwardCode from "./attention_backward.wgsl" with { type: "text" };
import rowsCode from "./attention.wgsl" with { type: "text" };
import running from "./running.wgsl" with { type: "text" };
import head from "./head.wgsl" with { type: "text" };
import intervalsCode from "./intervals.wgsl" with { type: "text" };

type Source = Pick<Kernel, "label" | "code">;

/** head.wgsl for heads of `headDim` numbers. */
export function headCode(headDim: number): string {
  return keepLines(head, "BLOCKS", Math.ceil(headDim / 16));
}

// Lines of `code` that end in "// NAME > n" stay where `count` is more than n.
function keepLines(code: string, name: string, count: number): string {
  const marked = new RegExp(`^.*// ${name} > (\\d)\n`, "gm");
  return code.replace(marked, (line, least) => count > Number(least) ? line : "");
}

// Barrier-free kernels that keep whole heads in registers: what CPU adapters want.
function registerVariant(
  name: string,
  rowsAnInvocation: number,
  forward: Source,
  backward: Source,
): AttentionVariant {
  const made = new Map<number, AttentionKernels>();
  return {
    name,
    kernels(headDim) {
      const known = made.get(headDim);
      if (known) return known;
      const common = { staged: true, workgroup: [8, 1] as const, constants: { GROUPS: headDim / 4 } };
      const withHead = ({ label, code }: Source) => ({ ...common, label, code: headCode(headDim) + code });
      const flats = ["read", "read"] as const;
      const kernels: AttentionKernels = {
        forward: { ...withHead(forward), entry: "attention", inputs: 3, outputs: 2, flats: ["read"] },
        dq: { ...withHead(backward), entry: "attention_dq", inputs: 4, outputs: 2, flats },
        dkv: { ...withHead(backward), entry: "attention_dkv", inputs: 3, outputs: 1, flats },
      };
      made.set(headDim, kernels);
      return kernels;
    },
    invocations: (rows, heads) => [Math.ceil(rows / rowsAnInvocation), heads],
  };
}

/** One invocation a (query, head) or (key, head). */
export const rowsVariant: AttentionVariant = registerVariant(
  "rows",
  1,
  { label: "kernels/attention/attention.wgsl", code: running + rowsCode },
  { label: "kernels/attention/attention_backward.wgsl", code: rowsBackwardCode },
);

function neighboursVariant(name: string, rows: number): AttentionVariant {
  const withRows = (code: string) =>
    `const ROWS = ${rows}u;\n${intervalsCode}${keepLines(code, "ROWS", rows)}`;
  return registerVariant(
    name,
    rows,
    { label: "kernels/attention/neighbours.wgsl", code: running + withRows(neighboursCode) },
    { label: "kernels/attention/neighbours_backward.wgsl", code: withRows(neighboursBackwardCode) },
  );
}

/** Two neighbouring rows an invocation: half the loads of keys and values. */
export const pairsVariant: AttentionVariant = neighboursVariant("pairs", 2);

/** Four neighbouring rows: a quarter of the loads, and more of rows that one of them does not see. */
export const quadsVariant: AttentionVariant = neighboursVariant("quads", 4);
