export { mimigenrecResults } from "../formats/mimigenrec/results.ts";
export { minionerecResults } from "../formats/minionerec/results.ts";
