// One line a method.
export { rqKmeans } from "./rq_kmeans.ts";
export { rqVae } from "./rq_vae.ts";
export { rqKmeansPlus } from "./rqkmeans_plus.ts";
export { rqVaeV2 } from "./rq_vae_v2.ts";
