/**
 * Vectors of items: from texts, from histories, by language models.
 * @module
 */

export { type CollaborativeConfig, collaborativeProvider } from "./collaborative.ts";
export type {
  EmbeddingContext,
  HistoryProvider,
  ItemHistories,
  ItemVectors,
  TextEmbedder,
  TextProvider,
} from "./provider.ts";
export { type StaticConfig, type StaticEngine, staticProvider } from "./static.ts";
