// One line a provider.
export { npyProvider } from "./npy.ts";
export { staticProvider } from "./static.ts";
