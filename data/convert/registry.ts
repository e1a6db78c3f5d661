export { etegrec } from "./etegrec.ts";
export { genrec } from "./genrec.ts";
export { letter } from "./letter.ts";
export { mimigenrec } from "./mimigenrec.ts";
export { minionerec } from "./minionerec.ts";
export { recbole } from "./recbole.ts";
