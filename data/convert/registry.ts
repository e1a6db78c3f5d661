export { etegrecWriter } from "../formats/etegrec/write.ts";
export { genrecWriter } from "../formats/genrec/write.ts";
export { letterWriter } from "../formats/letter/write.ts";
export { mimigenrecWriter } from "../formats/mimigenrec/write.ts";
export { minionerecWriter } from "../formats/minionerec/write.ts";
export { recboleWriter } from "../formats/recbole/write.ts";
