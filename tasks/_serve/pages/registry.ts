export { explorer } from "./explorer.ts";
export { studio } from "./studio.ts";
