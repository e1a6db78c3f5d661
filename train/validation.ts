import type { Decoder } from "../models/decoder.ts";
export interface ValidationResult { hr10: number; ndcg10: number }
export class Validation { constructor(_i: unknown, _t: unknown) {} run(_d: Decoder): Promise<ValidationResult> { return Promise.resolve({hr10:0,ndcg10:0}); } }
