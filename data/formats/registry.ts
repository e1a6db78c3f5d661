export { etegrec } from "./etegrec/read.ts";
export { genrec } from "./genrec/read.ts";
export { letter } from "./letter/read.ts";
export { mimigenrec } from "./mimigenrec/read.ts";
export { minionerec } from "./minionerec/read.ts";
export { recbole } from "./recbole/read.ts";
export { synthetic } from "../synthetic/format.ts";
