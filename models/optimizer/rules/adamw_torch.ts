import { adamw } from "../../../kernels/optimizer/adamw.ts";
import type { Flat } from "../../../kernels/gpu/tensor.ts";
import type { UpdateRule } from "./rule.ts";

/** AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW: one dispatch a step where all that is trained fits one buffer. */
export const adamwTorch: UpdateRule = {
  summary: "AdamW with moments in float32",
  isShared: true,
  open(parameters, options, shares) {
    const { device, segments } = parameters;
    const zeros = () =>
      shares?.create() ?? segments.map(({ values }) => device.createFlat("f32", values.length));
    const [m, v] = [zeros(), zeros()];
    const own = shares?.own ??
      segments.map(({ values }, segment) => ({ segment, at: 0, length: values.length, own: 0 }));
    const part = (flat: Flat, at: number, length: number) =>
      length === flat.length ? flat : device.slice(flat, at, length);
    return {
      arrays: { m: { flats: m }, v: { flats: v } },
      hyper: (t, rate) => [rate, 1 / (1 - options.beta1 ** t), 1 / (1 - options.beta2 ** t)],
      step({ hyper, norm, average }) {
        for (const { segment, at, length, own: place } of own) {
          if (length === 0) continue;
          const { values, gradients, decayLength } = segments[segment];
          const state = {
            values: part(values, at, length),
            gradients: part(gradients, at, length),
            m: part(m[segment], place, length),
            v: part(v[segment], place, length),
            ema: average && part(average[segment], at, length),
          };
          const decaying = Math.max(0, Math.min(length, decayLength - at));
          adamw(device, state, hyper, norm, { ...options, decayLength: decaying, length });
        }
      },
      destroy: () => [...m, ...v].forEach((flat) => device.destroy(flat)),
    };
  },
};
