import { groupsOf, type Matrix, type MatrixDtype } from "./tensor.ts";

/**
 * Scoped reuse of matrices. Inside a scope every request takes a free matrix of the same shape and dtype or makes one; at its end
 * all of them become free again, in the order in which they were taken. The same step therefore gets the same
 * matrices every time, allocates nothing after the first, and finds its bind groups in the cache.
 */
export class Pool {
  #free = new Map<string, Matrix[]>();
  #scopes: Matrix[][] = [];
  #create: (rows: number, cols: number, dtype: MatrixDtype) => Matrix;
  #destroy: (matrix: Matrix) => void;

  constructor(
    create: (rows: number, cols: number, dtype: MatrixDtype) => Matrix,
    destroy: (matrix: Matrix) => void,
  ) {
    this.#create = create;
    this.#destroy = destroy;
  }

  /** Matrix (rows, cols) that lives until the innermost scope ends. Contents are undefined, padding lanes 0. */
  take(rows: number, cols: number, dtype: MatrixDtype): Matrix {
    const scope = this.#scopes.at(-1);
    if (!scope) throw new Error("Pool.take() needs an open scope: wrap the work in device.scope(() => ...)");
    const matrix = this.#free.get(keyOf(rows, cols, dtype))?.pop() ?? this.#create(rows, cols, dtype);
    scope.push(matrix);
    return matrix;
  }

  /** Gives `matrix` back before its scope ends: the next request of that shape may take it. */
  release(matrix: Matrix): void {
    for (const scope of this.#scopes) {
      const at = scope.indexOf(matrix);
      if (at < 0) continue;
      scope.splice(at, 1);
      this.#put(matrix);
      return;
    }
  }

  /** Hands a matrix of the innermost scope to the one around it; those of other scopes stay where they are. */
  lift(matrix: Matrix): void {
    const [outer, inner] = this.#scopes.slice(-2);
    const at = inner?.indexOf(matrix) ?? -1;
    if (at < 0) return;
    inner.splice(at, 1);
    outer.push(matrix);
  }

  /** Moves `matrix` out of every scope: its new owner must call `adopt` or destroy it. */
  keep(matrix: Matrix): Matrix {
    for (const scope of this.#scopes) {
      const at = scope.indexOf(matrix);
      if (at >= 0) scope.splice(at, 1);
    }
    return matrix;
  }

  /** Makes a kept matrix free again. */
  adopt(matrix: Matrix): void {
    this.#put(matrix);
  }

  open(): void {
    this.#scopes.push([]);
  }

  close(): void {
    const scope = this.#scopes.pop();
    if (!scope) throw new Error("Pool.close() without an open scope");
    // Reverse order: the next scope pops them in the order of this one.
    for (const matrix of scope.reverse()) this.#put(matrix);
    if (this.#scopes.length > 0) return;
    // What was given back early lies in another order than before: without this, steps would take turns with
    // matrices and make bind groups for ever.
    for (const list of this.#free.values()) list.sort((a, b) => b.id - a.id);
  }

  /** Destroys every free matrix. */
  clear(): void {
    for (const list of this.#free.values()) list.forEach(this.#destroy);
    this.#free.clear();
  }

  #put(matrix: Matrix): void {
    const key = keyOf(matrix.rows, matrix.cols, matrix.dtype);
    const list = this.#free.get(key);
    if (list) list.push(matrix);
    else this.#free.set(key, [matrix]);
  }
}

// Keyed by the exact shape: (8, 5) and (8, 6) have the same storage but other padding lanes.
function keyOf(rows: number, cols: number, dtype: MatrixDtype): string {
  return `${rows}x${groupsOf(cols)}:${cols}${dtype}`;
}
