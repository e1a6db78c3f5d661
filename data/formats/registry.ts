export { etegrecFormat } from "./etegrec/read.ts";
export { genrecFormat } from "./genrec/read.ts";
export { letterFormat } from "./letter/read.ts";
export { mimigenrecFormat } from "./mimigenrec/read.ts";
export { minionerecFormat } from "./minionerec/read.ts";
export { recboleFormat } from "./recbole/read.ts";
export { syntheticFormat } from "../synthetic/format.ts";
