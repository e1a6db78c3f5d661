// One line a method.
export { rqKmeans } from "./rq_kmeans.ts";
