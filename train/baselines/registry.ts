// One line a baseline.
export { sasrec } from "./sasrec.ts";
