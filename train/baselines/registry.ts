export { markov, popularity, repeat, sequentialRules, transitions } from "./counts.ts";
export { sasrec } from "./sasrec.ts";
export { gru4rec } from "./gru4rec.ts";
export { caser } from "./caser.ts";
export { hstu } from "./hstu.ts";
export { tiger } from "./tiger.ts";
