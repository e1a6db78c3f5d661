// The part of @jax-js/jax that the benchmark uses. Every operation consumes its operands; `.ref` keeps one alive.

export type JaxDevice = "webgpu" | "wasm";

export interface JaxArray {
  readonly ref: JaxArray;
  add(x: JaxArray | number): JaxArray;
  sub(x: JaxArray | number): JaxArray;
  mul(x: JaxArray | number): JaxArray;
  div(x: JaxArray | number): JaxArray;
  reshape(shape: number[]): JaxArray;
  sum(axis?: number): JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

export type JaxTree = JaxArray | JaxTree[] | { [name: string]: JaxTree };

interface Pullback {
  (gradient: JaxArray): JaxArray[];
  dispose(): void;
}

export interface Jax {
  init(): Promise<string[]>;
  defaultDevice(device: JaxDevice): void;
  blockUntilReady(x: JaxTree): Promise<void>;
  jit<A extends JaxTree[], R extends JaxTree>(f: (...args: A) => R): (...args: A) => R;
  vjp<A extends JaxArray[]>(f: (...args: A) => JaxArray, primals: A): [JaxArray, Pullback];
  valueAndGrad<P extends JaxTree, A extends JaxTree[]>(
    f: (parameters: P, ...rest: A) => JaxArray,
  ): (parameters: P, ...rest: A) => [JaxArray, P];
  numpy: {
    array(data: Float32Array | Int32Array): JaxArray;
    zeros(shape: number[]): JaxArray;
    dot(a: JaxArray, b: JaxArray): JaxArray;
    mean(x: JaxArray, axis: number, options: { keepdims: boolean }): JaxArray;
    minimum(a: JaxArray, b: JaxArray | number): JaxArray;
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    reciprocal(x: JaxArray): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
    concatenate(parts: JaxArray[], axis: number): JaxArray;
    take(x: JaxArray, index: JaxArray, axis: number): JaxArray;
  };
  nn: {
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray, options: { isCausal: boolean }): JaxArray;
    logSoftmax(x: JaxArray): JaxArray;
    oneHot(x: JaxArray, classes: number): JaxArray;
    silu(x: JaxArray): JaxArray;
  };
}
