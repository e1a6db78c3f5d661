export { collaborativeProvider } from "./collaborative.ts";
export { decoderProvider } from "./decoder.ts";
export { npyProvider } from "./npy.ts";
export { staticProvider } from "./static.ts";
export { transformersProvider } from "./transformers.ts";
