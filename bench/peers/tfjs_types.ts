// The part of @tensorflow/tfjs that the benchmark uses.

export interface TfjsTensor {
  readonly shape: number[];
  add(x: TfjsTensor | number): TfjsTensor;
  sub(x: TfjsTensor | number): TfjsTensor;
  mul(x: TfjsTensor | number): TfjsTensor;
  div(x: TfjsTensor | number): TfjsTensor;
  sum(axis?: number): TfjsTensor;
  square(): TfjsTensor;
  sqrt(): TfjsTensor;
  sigmoid(): TfjsTensor;
  reshape(shape: number[]): TfjsTensor;
  data(): Promise<Float32Array>;
  dispose(): void;
}

export interface Variable extends TfjsTensor {
  assign(x: TfjsTensor): void;
}

export interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(data: Float32Array | Int32Array, shape: number[], dtype?: "int32"): TfjsTensor;
  zeros(shape: number[]): TfjsTensor;
  variable(initial: TfjsTensor, trainable: boolean, name: string): Variable;
  tidy<T>(work: () => T): T;
  matMul(a: TfjsTensor, b: TfjsTensor, transposeA?: boolean, transposeB?: boolean): TfjsTensor;
  transpose(x: TfjsTensor, order: number[]): TfjsTensor;
  softmax(x: TfjsTensor): TfjsTensor;
  logSoftmax(x: TfjsTensor): TfjsTensor;
  oneHot(x: TfjsTensor, depth: number): TfjsTensor;
  gather(x: TfjsTensor, index: TfjsTensor): TfjsTensor;
  mean(x: TfjsTensor, axis: number, keepDims: boolean): TfjsTensor;
  minimum(a: TfjsTensor, b: number): TfjsTensor;
  split(x: TfjsTensor, parts: number, axis: number): TfjsTensor[];
  concat(parts: TfjsTensor[], axis: number): TfjsTensor;
  valueAndGrads(
    f: (...x: TfjsTensor[]) => TfjsTensor,
  ): (x: TfjsTensor[], dy: TfjsTensor) => { value: TfjsTensor; grads: TfjsTensor[] };
  variableGrads(
    f: () => TfjsTensor,
    variables: Variable[],
  ): { value: TfjsTensor; grads: Record<string, TfjsTensor> };
}
