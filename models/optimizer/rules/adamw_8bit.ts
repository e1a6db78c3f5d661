import type { Flat } from "../../../kernels/gpu/tensor.ts";
import {
  adamw8bit,
  MOMENT_BLOCK,
  momentCodebook,
  ZERO_MOMENTS,
} from "../../../kernels/moments/adamw_8bit.ts";
import { runningAverage } from "../../../kernels/moments/running_average.ts";
import { adamw } from "../../../kernels/optimizer/adamw.ts";
import { FlatPlaces } from "./flat_places.ts";
import type { UpdateRule } from "./rule.ts";

/** Numbers from which on a parameter has moments in eight bits, as in bitsandbytes: few numbers take little as they are. */
const LEAST = 4096;

/**
 * AdamW with block-wise moments of eight bits (Dettmers et al. 2022, arXiv:2110.02861), as bitsandbytes has it: blocks of 256
 * numbers, the dynamic data type, float32 for parameters of fewer than 4,096 numbers. Embeddings are coded too.
 */
export const blockwiseAdamw: UpdateRule = {
  summary: "AdamW with moments of eight bits in blocks of 256",
  isShared: false,
  open(parameters, { weightDecay, ...options }) {
    const { device, segments } = parameters;
    const blocks = parameters.trainedBlocks().flatMap(({ spec, blocks }) => {
      const size = blocks.reduce((sum, { value }) => sum + value.length, 0);
      return blocks.map((block) => ({
        ...block,
        isCoded: size >= LEAST,
        weightDecay: spec.decay ? weightDecay : 0,
      }));
    });
    // Codes lie as the segments do, since a buffer holds no more of them than of values.
    const codePlaces = segments.map(() => new FlatPlaces()),
      scalePlaces = segments.map(() => new FlatPlaces());
    const plainPlaces = new FlatPlaces();
    const places = blocks.map(({ isCoded, segment, value: { length } }) =>
      isCoded
        ? {
          codes: codePlaces[segment].add(Math.ceil(length / 4)),
          scales: scalePlaces[segment].add(2 * Math.ceil(length / MOMENT_BLOCK)),
        }
        : plainPlaces.add(length)
    );
    const words = (code: number) =>
      codePlaces.map(({ length }) => {
        const flat = device.createFlat("u32", length);
        const chunk = new Uint32Array(Math.min(length, 2 ** 20)).fill(code);
        for (let at = 0; code !== 0 && at < length; at += chunk.length) {
          const count = Math.min(chunk.length, length - at);
          device.write(count === length ? flat : device.slice(flat, at, count), chunk.subarray(0, count));
        }
        return flat;
      });
    const codes = ZERO_MOMENTS.map(words);
    const scales = scalePlaces.map(({ length }) => device.createFlat("f32", length));
    const plain = [0, 1].map(() => device.createFlat("f32", plainPlaces.length));
    const codebook = device.createFlat("f32", momentCodebook());
    const steps = blocks.map(({ value: values, gradient: gradients, segment, weightDecay }, i) => {
      const place = places[i];
      const part = (flat: Flat, place: [number, number]) => device.slice(flat, ...place);
      const shared = { values, gradients, length: values.length, weightDecay };
      if (Array.isArray(place)) {
        const [m, v] = plain.map((flat) => part(flat, place));
        return { ...shared, m, v, scales: undefined };
      }
      const [m, v] = codes.map((flats) => part(flats[segment], place.codes));
      return { ...shared, m, v, scales: part(scales[segment], place.scales) };
    });
    return {
      arrays: {
        m: { flats: codes[0], bytes: true },
        v: { flats: codes[1], bytes: true },
        scales: { flats: scales },
        plainM: { flats: [plain[0]] },
        plainV: { flats: [plain[1]] },
      },
      hyper: (t, rate) => [rate, 1 / (1 - options.beta1 ** t), 1 / (1 - options.beta2 ** t)],
      step({ hyper, norm, average }) {
        for (const { length, weightDecay, scales, ...state } of steps) {
          const settings = { ...options, weightDecay, length };
          if (scales) adamw8bit(device, { ...state, scales }, codebook, hyper, norm, settings);
          else adamw(device, state, hyper, norm, { ...settings, decayLength: length });
        }
        segments.forEach(({ values }, i) => {
          if (average) runningAverage(device, average[i], values, hyper, norm);
        });
      },
      destroy: () => [...codes.flat(), ...scales, ...plain, codebook].forEach((flat) => device.destroy(flat)),
    };
  },
};
