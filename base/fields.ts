import { z } from "zod";

/** So many things, `min` at least. */
export const count = (min = 1): z.ZodInt => z.int().min(min);
/** Blocks of a network: more than anybody has are a damaged file, which would keep a program busy for ever. */
export const blocks = (): z.ZodInt => count().max(1000);
/** A share of a whole, from 0 to 1. */
export const share: z.ZodNumber = z.number().min(0).max(1);
/** A rate or decay, from 0 and below 1. */
export const decay: z.ZodNumber = z.number().min(0).lt(1);
/** A factor from 0, which leaves out what it weighs. */
export const weight: z.ZodNumber = z.number().min(0);
/** Any number above 0. */
export const positive: z.ZodNumber = z.number().positive();

/** So many steps of a run, or below 1 a share of all of its steps. */
export const stepsOrShare = (): z.ZodNumber =>
  z.number().min(0).refine(
    (value) => value < 1 || Number.isInteger(value),
    "expected whole steps, or a share of all of them below 1",
  );

/** What {@link stepsOrShare} means in a run of `total` steps: one at least, and 0 stays 0. */
export function stepsOf(value: number, total: number): number {
  return value > 0 && value < 1 ? Math.max(1, Math.ceil(value * total)) : value;
}

/** Seed of a program's random numbers. */
export const seed = count(0).default(42).describe("seed of everything random");

/** An amount of memory, such as 800MB or 1GB. */
export const memorySize = (usual: string): z.ZodDefault<z.ZodString> =>
  z.string().regex(SIZE, { error: "expected a size such as 1GB or 800MB" }).default(usual);

const SIZE = /^(\d+(?:\.\d+)?) ?([KMGT])(i?)B$/i;

/** Bytes of a {@link memorySize}. */
export function bytesOfSize(size: string): number {
  const [, number, prefix, binary] = SIZE.exec(size)!;
  return Number(number) * (binary ? 1024 : 1000) ** (1 + "KMGT".indexOf(prefix.toUpperCase()));
}

/** Fields under a heading of their own in the help and the docs. */
export function grouped<T extends Record<string, z.ZodType>>(group: string, fields: T): T {
  return Object.fromEntries(
    Object.entries(fields).map(([key, type]) => [key, type.meta({ ...type.meta(), group })]),
  ) as T;
}
