import { bucket, type Operation, type Variant } from "../../gpu/variants.ts";

/** A matrix whose rows are reduced. */
export interface RowShape {
  /** Number of reductions. */
  readonly rows: number;
  /** Numbers that each takes in. */
  readonly cols: number;
}

/** One way to reduce rows. */
export interface RowVariant extends Variant {
  /** Invocations that serve a row. */
  readonly team: number;
}

/** Classes of reductions, and shapes that a training step has. */
export const ROW_CLASSES: Pick<Operation<RowVariant, RowShape>, "classOf" | "className"> & {
  readonly usualShapes: readonly RowShape[];
} = {
  classOf: ({ rows, cols }) => bucket(rows) * 32 + bucket(cols),
  className: ({ rows, cols }) => `${2 ** bucket(rows)}x${2 ** bucket(cols)}`,
  usualShapes: [{ rows: 2048, cols: 256 }],
};
