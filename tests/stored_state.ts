import type { OptimizerState, StoredState } from "../models/optimizer/optimizer.ts";

/** All arrays of a state, read from wherever it is kept. */
export async function readStored({ lengths, read }: StoredState): Promise<OptimizerState> {
  const state: OptimizerState = {};
  for (const [name, length] of lengths) state[name] = await read(name, 0, length);
  return state;
}
