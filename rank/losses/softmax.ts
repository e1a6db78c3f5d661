import { listwiseSoftmax, listwiseSoftmaxBackward } from "../../kernels/loss/listwise_softmax.ts";
import type { RankingLoss } from "./losses.ts";

/** Cross-entropy over the candidates of a list: see `listwiseSoftmax()`. */
export const softmaxLoss: RankingLoss = {
  name: "softmax",
  summary: "cross-entropy over the candidates of each list",
  record(tape, scores, lists, listLoss) {
    listwiseSoftmax(tape.device, scores, lists, listLoss);
    tape.record(() => tape.accumulate(scores, listwiseSoftmaxBackward(tape.device, scores, lists)));
  },
};
