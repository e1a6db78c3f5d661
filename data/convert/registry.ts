export { genrec } from "./genrec.ts";
export { letter } from "./letter.ts";
export { minionerec } from "./minionerec.ts";
