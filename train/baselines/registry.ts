// One line a baseline.
export { popularity } from "./counts.ts";
export { repeat } from "./counts.ts";
export { markov } from "./counts.ts";
export { transitions } from "./counts.ts";
export { sasrec } from "./sasrec.ts";
export { gru4rec } from "./gru4rec.ts";
export { caser } from "./caser.ts";
export { hstu } from "./hstu.ts";
export { tiger } from "./tiger.ts";
