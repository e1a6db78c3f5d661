// Checks of a KernelSpec against its float64 reference, shared by the tests of kernels and of their variants.
import assert from "node:assert/strict";
import type { Device } from "../kernels/gpu/device.ts";
import { type KernelCase, type KernelSpec, type Named, noise, type Values } from "../kernels/gpu/spec.ts";
import type { Tensor } from "../kernels/gpu/tensor.ts";

// A float16 device is asked for what it was given, so references see rounded operands. What remains is the rounding of
// the result and of what lies between the dispatches of one operation.
const HALF_TOLERANCE = { forward: 6e-4, backward: 5e-3 };

function toleranceOf<A>(
  { dtype }: Device,
  { tolerance }: KernelSpec<A>,
  pass: "forward" | "backward",
): number {
  const usual = tolerance?.[pass] ?? { forward: 2e-5, backward: 2e-4 }[pass];
  return dtype === "f16" ? Math.max(usual, HALF_TOLERANCE[pass]) : usual;
}

/** `values` as the device stores them. */
function stored(device: Device, values: Named<Values>): Named<Values> {
  if (device.dtype === "f32") return values;
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value.kind === "matrix" ? { ...value, data: value.data.map(Math.f16round) } : value,
    ]),
  );
}

function upload(device: Device, values: Values): Tensor {
  if (values.kind === "matrix") {
    return device.upload(Float32Array.from(values.data), values.rows, values.cols);
  }
  return device.createFlat(
    values.kind,
    values.kind === "u32" ? Uint32Array.from(values.data) : Float32Array.from(values.data),
  );
}

/** Tensors of these values. */
export function uploadAll(device: Device, inputs: Named<Values>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, upload(device, values)]));
}

async function readAll(device: Device, tensors: Named<Tensor>): Promise<Record<string, ArrayLike<number>>> {
  const names = Object.keys(tensors);
  const data = await device.read(...names.map((name) => tensors[name]));
  return Object.fromEntries(names.map((name, i) => {
    const tensor = tensors[name];
    const isIndex = tensor.kind === "flat" && tensor.dtype === "u32";
    return [name, isIndex ? new Uint32Array(data[i].buffer, data[i].byteOffset, data[i].length) : data[i]];
  }));
}

/** What the reference says of a case, whose operands are stored in one way. */
class Expected<A> {
  readonly inputs: Named<Values>;
  readonly outputs: Named<Values>;
  /** Of the outputs in the sum that gradients are of. */
  readonly weights: Named<Values>;
  readonly #spec: KernelSpec<A>;
  readonly #attributes: A;
  readonly #gradients = new Map<string, Map<number, number>>();

  constructor(device: Device, spec: KernelSpec<A>, { inputs, attributes }: KernelCase<A>) {
    this.#spec = spec;
    this.#attributes = attributes;
    this.inputs = stored(device, inputs);
    this.outputs = spec.reference(this.inputs, attributes);
    const next = noise(99);
    this.weights = stored(
      device,
      Object.fromEntries(
        Object.entries(this.outputs).map((
          [key, values],
        ) => [key, { ...values, data: values.data.map(() => Math.fround(next())) }]),
      ),
    );
  }

  /** Central differences by up to 24 entries of an input, the first and the last among them: by place. */
  gradient(input: string): ReadonlyMap<number, number> {
    let found = this.#gradients.get(input);
    if (found) return found;
    this.#gradients.set(input, found = new Map());
    const { data } = this.inputs[input];
    const stride = Math.max(1, Math.floor((data.length - 1) / 23));
    for (let i = 0; i < data.length; i += stride) {
      const h = 1e-4 * Math.max(1, Math.abs(data[i]));
      const moved = (by: number) => {
        const copy = data.slice();
        copy[i] += by;
        return this.#loss({ ...this.inputs, [input]: { ...this.inputs[input], data: copy } });
      };
      found.set(i, (moved(h) - moved(-h)) / (2 * h));
    }
    return found;
  }

  /** Sum of weights * outputs. */
  #loss(changed: Named<Values>): number {
    let sum = 0;
    for (const [key, { data }] of Object.entries(this.#spec.reference(changed, this.#attributes))) {
      for (let i = 0; i < data.length; i++) sum += data[i] * this.weights[key].data[i];
    }
    return sum;
  }
}

const casesKnown = new WeakMap<object, readonly unknown[]>();

/** The cases of a spec, which are the same objects each time: what the reference says of each is then computed once. */
export function casesOf<A>(spec: KernelSpec<A>): readonly KernelCase<A>[] {
  let cases = casesKnown.get(spec) as readonly KernelCase<A>[] | undefined;
  if (!cases) casesKnown.set(spec, cases = spec.cases());
  return cases;
}

// Most of the time of a check is its reference, which layouts and variants have in common.
const known = new WeakMap<KernelCase<unknown>, Map<Device["dtype"], Expected<unknown>>>();

function expectedOf<A>(device: Device, spec: KernelSpec<A>, kernelCase: KernelCase<A>): Expected<A> {
  let ofCase = known.get(kernelCase) as Map<Device["dtype"], Expected<A>> | undefined;
  if (!ofCase) known.set(kernelCase, ofCase = new Map());
  let expected = ofCase.get(device.dtype);
  if (!expected) ofCase.set(device.dtype, expected = new Expected(device, spec, kernelCase));
  return expected;
}

/** Fails unless the kernel's outputs are those of its float64 reference. */
export async function checkForward<A>(device: Device, spec: KernelSpec<A>, kernelCase: KernelCase<A>) {
  const { name, attributes } = kernelCase;
  const { inputs, outputs: expected } = expectedOf(device, spec, kernelCase);
  await device.scope(async () => {
    const actual = await readAll(device, spec.forward(device, uploadAll(device, inputs), attributes));
    for (const output of Object.keys(expected)) {
      assert.ok(actual[output], `${spec.name} does not return ${output}`);
      assertClose(
        `${spec.name} ${name} ${output}`,
        actual[output],
        expected[output].data,
        toleranceOf(device, spec, "forward"),
      );
    }
  });
}

/** Fails unless the kernel's gradients are central differences of its reference. */
export async function checkBackward<A>(device: Device, spec: KernelSpec<A>, kernelCase: KernelCase<A>) {
  const { name, attributes } = kernelCase;
  const expected = expectedOf(device, spec, kernelCase);
  await device.scope(async () => {
    const tensors = uploadAll(device, expected.inputs);
    const results = spec.forward(device, tensors, attributes);
    const weights = uploadAll(device, expected.weights);
    const actual = await readAll(device, spec.backward!(device, tensors, results, weights, attributes));
    for (const [input, gradient] of Object.entries(actual)) {
      for (const [i, difference] of expected.gradient(input)) {
        assertClose(
          `${spec.name} ${name} d${input}[${i}]`,
          [gradient[i]],
          [difference],
          toleranceOf(device, spec, "backward"),
        );
      }
    }
  });
}

function assertClose(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  assert.equal(
    actual.length,
    expected.length,
    `${what} has ${actual.length} elements, expected ${expected.length}`,
  );
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    assert.ok(
      error <= tolerance,
      `${what} [${i}] is ${actual[i]}, expected ${expected[i]} (relative error ${error})`,
    );
  }
}
