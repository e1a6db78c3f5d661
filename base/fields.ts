import { z } from "zod";

/** So many things, `min` at least. */
export const count = (min = 1): z.ZodInt => z.int().min(min);
/** A share of a whole, from 0 to 1. */
export const share: z.ZodNumber = z.number().min(0).max(1);
/** A rate or decay, from 0 and below 1. */
export const decay: z.ZodNumber = z.number().min(0).lt(1);
/** A factor from 0, which leaves out what it weighs. */
export const weight: z.ZodNumber = z.number().min(0);
/** Any number above 0. */
export const positive: z.ZodNumber = z.number().positive();

/** Seed of a program's random numbers. */
export const seed = count(0).default(42).describe("seed of everything random");

/** Fields under a heading of their own in the help and the docs. */
export function grouped<T extends Record<string, z.ZodType>>(group: string, fields: T): T {
  return Object.fromEntries(
    Object.entries(fields).map(([key, type]) => [key, type.meta({ ...type.meta(), group })]),
  ) as T;
}
