// One line a method.
export { letter } from "./letter.ts";
export { opq } from "./opq.ts";
export { rqKmeans } from "./rq_kmeans.ts";
export { rqKmeansBalanced } from "./rq_kmeans_balanced.ts";
export { rqKmeansConstrained } from "./rq_kmeans_constrained.ts";
export { rqVae } from "./rq_vae.ts";
export { rqKmeansPlus } from "./rq_kmeans_plus.ts";
export { rqVaeV2 } from "./rq_vae_v2.ts";
export { rvq } from "./rvq.ts";
