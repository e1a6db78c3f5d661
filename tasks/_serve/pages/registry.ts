export { explorer } from "./explorer.ts";
