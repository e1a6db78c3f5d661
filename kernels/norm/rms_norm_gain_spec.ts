import { columnSum } from "../reduce/column_sum.ts";
import { rmsNormBackward, spec } from "./rms_norm.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";

/** RMSNorm again, for the gradient of its gain: terms summed over rows. */
export const rmsNormGainSpec: typeof spec = {
  ...spec,
  name: "rmsNorm gain",
  backward: (device, inputs, _outputs, gradients, { eps }) => {
    const { x, gain } = inputs as Record<string, Matrix>;
    const { gainTerms } = rmsNormBackward(device, x, gain, gradients.y as Matrix, eps);
    const dGain = device.createFlat("f32", groupsOf(gain.cols) * 4);
    columnSum(device, gainTerms, dGain, false);
    return { gain: dGain };
  },
};
