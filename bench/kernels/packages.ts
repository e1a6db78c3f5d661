import { NotSupported } from "./contender.ts";

/** The only place that names peers' versions; genrec itself never loads them. */
export const PACKAGES = {
  tfjs: "npm:@tensorflow/tfjs@4.22.0",
  tfjsWebgpu: "npm:@tensorflow/tfjs-backend-webgpu@4.22.0",
  jax: "npm:@jax-js/jax@0.1.25",
  onnxruntime: "npm:onnxruntime-node@1.30.0",
} as const;

/**
 * Module of a peer. T is the part of it that the benchmark uses: the specifier is kept out of sight of `deno check`, which
 * would download the package.
 */
export async function load<T>(name: keyof typeof PACKAGES): Promise<T> {
  const specifier: string = PACKAGES[name];
  try {
    return await import(specifier);
  } catch (error) {
    throw new NotSupported(`not installed: ${(error as Error).message.split("\n")[0]}`);
  }
}
