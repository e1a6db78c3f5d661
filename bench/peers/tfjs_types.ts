// The part of @tensorflow/tfjs that the benchmark uses.

export interface Tensor {
  readonly shape: number[];
  add(x: Tensor | number): Tensor;
  sub(x: Tensor | number): Tensor;
  mul(x: Tensor | number): Tensor;
  div(x: Tensor | number): Tensor;
  sum(axis?: number): Tensor;
  square(): Tensor;
  sqrt(): Tensor;
  sigmoid(): Tensor;
  reshape(shape: number[]): Tensor;
  data(): Promise<Float32Array>;
  dispose(): void;
}

export interface Variable extends Tensor {
  assign(x: Tensor): void;
}

export interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(data: Float32Array | Int32Array, shape: number[], dtype?: "int32"): Tensor;
  zeros(shape: number[]): Tensor;
  variable(initial: Tensor, trainable: boolean, name: string): Variable;
  tidy<T>(work: () => T): T;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  transpose(x: Tensor, order: number[]): Tensor;
  softmax(x: Tensor): Tensor;
  logSoftmax(x: Tensor): Tensor;
  oneHot(x: Tensor, depth: number): Tensor;
  gather(x: Tensor, index: Tensor): Tensor;
  mean(x: Tensor, axis: number, keepDims: boolean): Tensor;
  minimum(a: Tensor, b: number): Tensor;
  split(x: Tensor, parts: number, axis: number): Tensor[];
  concat(parts: Tensor[], axis: number): Tensor;
  valueAndGrads(
    f: (...x: Tensor[]) => Tensor,
  ): (x: Tensor[], dy: Tensor) => { value: Tensor; grads: Tensor[] };
  variableGrads(f: () => Tensor, variables: Variable[]): { value: Tensor; grads: Record<string, Tensor> };
}
