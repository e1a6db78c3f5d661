import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, type Matrix, shapeOf } from "../gpu/tensor.ts";

/** A gated unit: a function of the gate, times what it gates. */
export interface GatedUnit {
  /** gateUp (T, 2I) = gate | up -> f(gate) * up (T, I). I must be a multiple of 4. */
  forward(device: Device, gateUp: Matrix): Matrix;
  /** gateUp (T, 2I), dy (T, I) -> dGate | dUp (T, 2I). */
  backward(device: Device, gateUp: Matrix, dy: Matrix): Matrix;
}

/** The unit of `NAME.wgsl` in this folder, whose entries are NAME and NAME_backward. */
export function gatedUnitKernels(name: string, code: string): GatedUnit {
  const forwardKernel: Kernel = {
    label: `kernels/gated/${name}.wgsl`,
    code,
    entry: name,
    inputs: 1,
    outputs: 1,
    staged: true,
    flats: [],
    workgroup: [16, 8],
  };
  const backwardKernel: Kernel = { ...forwardKernel, entry: `${name}_backward`, inputs: 2 };

  const widthOf = (gateUp: Matrix): number => {
    if (gateUp.cols % 8 === 0) return gateUp.cols / 2;
    throw new RangeError(
      `${name}() gateUp has shape ${shapeOf(gateUp)}: expected two halves of a multiple of 4 columns`,
    );
  };
  const forward = (device: Device, gateUp: Matrix): Matrix => {
    const width = widthOf(gateUp);
    const y = device.matrix(gateUp.rows, width);
    device.run(forwardKernel, { inputs: [gateUp], outputs: [y], ...dispatchOf(gateUp.rows, width) });
    return y;
  };
  const backward = (device: Device, gateUp: Matrix, dy: Matrix): Matrix => {
    const width = widthOf(gateUp);
    expectShape(`${name}Backward() dy`, dy, gateUp.rows, width);
    const dGateUp = device.matrix(gateUp.rows, gateUp.cols);
    const dispatch = dispatchOf(gateUp.rows, width);
    device.run(backwardKernel, { inputs: [gateUp, dy], outputs: [dGateUp], ...dispatch });
    return dGateUp;
  };
  return { forward, backward };
}

function dispatchOf(rows: number, width: number) {
  return { u32: [rows, width / 4], invocations: [width / 4, rows] as const };
}
