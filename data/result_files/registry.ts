export { mimigenrec } from "../formats/mimigenrec/results.ts";
export { minionerec } from "../formats/minionerec/results.ts";
