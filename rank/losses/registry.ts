export { softmaxLoss } from "./softmax.ts";
