export { amazon14 } from "./sources/amazon14.ts";
export { amazon18 } from "./sources/amazon18.ts";
export { amazon23 } from "./sources/amazon23.ts";
export { generic } from "./sources/generic.ts";
export { goodreads } from "./sources/goodreads.ts";
export { movielens } from "./sources/movielens.ts";
export { yelp } from "./sources/yelp.ts";
