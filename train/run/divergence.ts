import { UserError } from "../../base/user_error.ts";

/** Training that led to numbers that are not finite: going on from its checkpoint would lead there again. */
export class DivergenceError extends UserError {
  /** Shown before the message in stack traces. */
  override name = "DivergenceError";
}

/** The error of a training whose loss or gradients are not finite `at` a place of the run; `intact`: what is left of it. */
export function notFinite(at: string, loss: number, gradientNorm: number, intact: string): DivergenceError {
  return new DivergenceError(
    `Training stopped ${at}: the loss is ${loss}, the gradient norm ${gradientNorm}, expected finite numbers. ${intact}. ` +
      "Start another run with a lower --learning-rate",
  );
}
