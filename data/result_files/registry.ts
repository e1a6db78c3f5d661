export { mimigenrec } from "./mimigenrec.ts";
export { minionerec } from "./minionerec.ts";
