import type { Device } from "../../../kernels/gpu/device.ts";
import { groupsOf } from "../../../kernels/gpu/tensor.ts";
import {
  type AdafactorRows,
  adafactorScratch,
  adafactorStep,
  type AdafactorTensor,
} from "../../../kernels/moments/adafactor.ts";
import { runningAverage } from "../../../kernels/moments/running_average.ts";
import type { TrainedBlock } from "../../parameters/parameters.ts";
import { partsOf } from "../../parameters/parts.ts";
import type { ParameterSpec } from "../../parameters/spec.ts";
import { FlatPlaces } from "./flat_places.ts";
import type { UpdateRule } from "./rule.ts";

/** Those of transformers: added to squared gradients, largest root mean square of an update, and how the decay grows. */
const SETTINGS = { eps: 1e-30, clipThreshold: 1, decayRate: 0.8 };

/**
 * Adafactor (Shazeer and Stern 2018) as transformers trains with it where `optim` is `adafactor`: second moments as means of
 * rows and columns of each tensor of the checkpoint, no first moments, updates clipped, the learning rate of the schedule.
 */
export const adafactor: UpdateRule = {
  summary: "second moments as means of rows and columns, no first ones",
  isShared: false,
  open(parameters, { weightDecay }) {
    const { device, segments } = parameters;
    const shapes = parameters.trainedBlocks().flatMap(tensorsOf);
    const rowPlaces = new FlatPlaces(), columnPlaces = new FlatPlaces();
    const places = shapes.map(({ cols, pieces }) => ({
      row: rowPlaces.add(pieces.reduce((sum, { rows }) => sum + rows, 0)),
      column: columnPlaces.add(groupsOf(cols) * 4),
    }));
    const [rowMoments, columnMoments] = [rowPlaces, columnPlaces].map(({ length }) =>
      device.createFlat("f32", length)
    );
    const scratch = scratchOf(device, shapes);
    const tensors: (AdafactorTensor & { decays: boolean })[] = shapes.map((shape, i) => ({
      ...shape,
      rowMoments: device.slice(rowMoments, ...places[i].row),
      columnMoments: device.slice(columnMoments, ...places[i].column),
    }));
    return {
      arrays: { rowMoments: { flats: [rowMoments] }, columnMoments: { flats: [columnMoments] } },
      hyper: (t, rate) => [rate, 1 - t ** -SETTINGS.decayRate, t ** -SETTINGS.decayRate],
      step({ hyper, norm, average }) {
        for (const { decays, ...tensor } of tensors) {
          const options = { ...SETTINGS, weightDecay: decays ? weightDecay : 0 };
          adafactorStep(device, tensor, scratch, hyper, norm, options);
        }
        segments.forEach(({ values }, i) => {
          if (average) runningAverage(device, average[i], values, hyper, norm);
        });
      },
      destroy: () =>
        [rowMoments, columnMoments, scratch.partials, scratch.sums].forEach((flat) => device.destroy(flat)),
    };
  },
};

function scratchOf(device: Device, shapes: readonly { cols: number; pieces: readonly AdafactorRows[] }[]) {
  const sizes = shapes.map(adafactorScratch);
  const most = (name: "partials" | "sums") =>
    device.createFlat("f32", sizes.reduce((most, size) => Math.max(most, size[name]), 4));
  return { partials: most("partials"), sums: most("sums") };
}

type Shape = Pick<AdafactorTensor, "cols" | "stride" | "pieces"> & { decays: boolean };

/** The trained rows of the tensors of a parameter, which is one tensor where a part of it begins inside a group. */
function tensorsOf({ spec, blocks }: { spec: ParameterSpec; blocks: TrainedBlock[] }): Shape[] {
  const whole = { row: 0, col: 0, shape: [spec.rows, spec.cols] };
  const known = partsOf(spec);
  const parts = known.every(({ col }) => col % 4 === 0) ? known : [whole];
  const stride = groupsOf(spec.cols);
  return parts.map(({ row, col, shape }) => {
    const rows = shape.length === 1 ? 1 : shape[0];
    const pieces = blocks.flatMap((block) => {
      const first = Math.max(row, block.start), end = Math.min(row + rows, block.start + block.rows);
      if (first >= end) return [];
      const { value: values, gradient: gradients } = block;
      return [{ rows: end - first, values, gradients, base: (first - block.start) * stride + col / 4 }];
    });
    return { cols: shape.at(-1)!, stride, pieces, decays: spec.decay };
  }).filter(({ pieces }) => pieces.length > 0);
}
