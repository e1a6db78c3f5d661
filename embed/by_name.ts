import { byName } from "../base/by_name.ts";
import type { EmbeddingProvider } from "./provider.ts";
import * as registry from "./registry.ts";

/** Every way to embed items, in the order of their names. */
export const PROVIDERS = Object.values(registry) as readonly EmbeddingProvider[];

/** The provider of a name. Throws `UserError` listing all where there is none. */
export function embeddingProvider(name: string): EmbeddingProvider {
  return byName(PROVIDERS, name, { use: "embed with", kind: "provider" });
}
