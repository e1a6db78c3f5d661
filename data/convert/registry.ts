export { etegrec } from "../formats/etegrec/write.ts";
export { genrec } from "../formats/genrec/write.ts";
export { letter } from "../formats/letter/write.ts";
export { mimigenrec } from "../formats/mimigenrec/write.ts";
export { minionerec } from "../formats/minionerec/write.ts";
export { recbole } from "../formats/recbole/write.ts";
