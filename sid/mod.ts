/**
 * Semantic IDs: methods, collisions, reports, tokens and the trie of all IDs.
 * @module
 */

export { COLLISION_POLICIES, collisionPolicy } from "./collisions/by_name.ts";
export { collidingGroups } from "./collisions/groups.ts";
export type { CodeChange, Codes, CollisionPolicy, LastLevel, ResolvedCodes } from "./collisions/policy.ts";
export type { Embeddings } from "./embeddings.ts";
export { concatenate, type Part as EmbeddingPart } from "./fuse.ts";
export type {
  KeptFit,
  OpenFitStore,
  SidCodes,
  SidExtraInput,
  SidFit,
  SidInput,
  SidMethod,
  SidModel,
  SidProgress,
} from "./method.ts";
export { letter, type LetterConfig } from "./methods/letter.ts";
export { opq, type OpqConfig } from "./methods/opq.ts";
export { type PlacedItem, type Placement, placeNewItems } from "./methods/place_new.ts";
export { rqKmeans, type RqKmeansConfig } from "./methods/rq_kmeans.ts";
export { rqKmeansBalanced, type RqKmeansBalancedConfig } from "./methods/rq_kmeans_balanced.ts";
export { rqKmeansConstrained, type RqKmeansConstrainedConfig } from "./methods/rq_kmeans_constrained.ts";
export { rqKmeansPlus, type RqKmeansPlusConfig } from "./methods/rq_kmeans_plus.ts";
export { rqVae, type RqVaeConfig } from "./methods/rq_vae.ts";
export { rqVaeV2, type RqVaeV2Config } from "./methods/rq_vae_v2.ts";
export { rvq, type RvqConfig } from "./methods/rvq.ts";
export { VECTOR_SCALINGS, type VectorScaling } from "./normalize.ts";
export {
  CODEBOOK_STARTS,
  type CodebookStart,
  CRITERIA,
  type Criterion,
  type QuantizerConfig,
} from "./quantizer/config.ts";
export {
  type CatalogueInput,
  type CatalogueReport,
  type CollisionGroup,
  type MovedItem,
  type NamedItem,
  type NeighbourExample,
  reportCatalogue,
} from "./report/catalogue.ts";
export type { Cluster } from "./report/cluster_names.ts";
export { htmlReport, type SidReportFile } from "./report/html.ts";
export type { ItemMap } from "./report/item_map.ts";
export { type Neighbour, PrefixIndex, type PrefixNeighbours } from "./report/neighbours.ts";
export type { PrefixPurity } from "./report/purity.ts";
export { type LevelReport, reportSids, type SidReport } from "./statistics.ts";
export {
  type CodeToken,
  formatSid,
  formatToken,
  parseToken,
  SidVocabulary,
  type SidVocabularyJson,
} from "./tokens.ts";
export { buildTrie, Trie } from "./trie.ts";
export { SID_METHODS, sidMethod } from "./methods/by_name.ts";
