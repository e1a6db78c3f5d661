import type { JaxDevice } from "../peers/jax_types.ts";

/** A library to compare with. It runs in a process of its own and is downloaded when that process asks for it. */
export interface Peer {
  readonly name: string;
  /** File of this folder, and its argument. */
  readonly script: string;
  readonly argument?: JaxDevice;
  /** Whether it computes on the same adapter as genrec. */
  readonly webgpu: boolean;
}

export const PEERS: readonly Peer[] = [
  { name: "tfjs webgpu", script: "peer_tfjs.ts", webgpu: true },
  { name: "jax-js webgpu", script: "peer_jax.ts", argument: "webgpu", webgpu: true },
  { name: "jax-js wasm", script: "peer_jax.ts", argument: "wasm", webgpu: false },
  { name: "onnxruntime cpu", script: "peer_ort.ts", webgpu: false },
  { name: "transformers torch cpu", script: "peer_torch.ts", webgpu: false },
];
