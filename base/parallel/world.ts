/**
 * The processes that do one piece of work together, called ranks as in MPI, seen from one of them. All ranks call the same
 * methods in the same order, and each call waits until all have come. Code that is written for a world of one rank works
 * in a larger one: see {@link ALONE}.
 */
export interface World {
  /** Number of this process, from 0. The first one writes files and speaks to people. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Places of the ranks, by rank. */
  readonly places: readonly RankPlace[];
  /** Bytes of every rank, by rank; they may differ in length. */
  gather(bytes: Uint8Array): Promise<Uint8Array[]>;
  /**
   * `send` is `size` slices of equal length, the one at r for rank r -> `received`, as long, the slice at r from rank r.
   * `RangeError` for another length.
   */
  exchange(send: Float32Array, received: Float32Array): Promise<void>;
  /** The slices of all ranks, as long as `slice`, one after the other -> `all`. `RangeError` for another length. */
  collect(slice: Float32Array, all: Float32Array): Promise<void>;
  /** sum += more, number by number, on this rank alone. */
  add(sum: Float32Array, more: Float32Array): void;
  /** Ends all ranks at once, this one too, with this exit code. */
  abort(code: number): never;
  /** Ends the part of this process, once its last call has returned. */
  leave(): Promise<void>;
}

/** Where a rank computes. */
export interface RankPlace {
  /** Name of the machine. */
  host: string;
  /** Its number among the ranks of that machine, from 0. */
  localRank: number;
  /** Number of its process there. */
  pid: number;
}

/** The world of a process that nobody started beside others. */
export const ALONE: World = {
  rank: 0,
  size: 1,
  places: [{ host: "", localRank: 0, pid: 0 }],
  gather: (bytes) => Promise.resolve([bytes]),
  exchange(send, received) {
    received.set(send);
    return Promise.resolve();
  },
  collect(slice, all) {
    all.set(slice);
    return Promise.resolve();
  },
  add: addNumbers,
  abort(code) {
    throw new Error(`abort(${code}) ends other ranks, and there are none: throw instead`);
  },
  leave: () => Promise.resolve(),
};

/** The same ranks for work that is only counted: it meets nobody, and what others would send is 0 or empty. */
export function unmet({ rank, size, places }: World): World {
  return {
    ...ALONE,
    rank,
    size,
    places,
    gather: (bytes) => Promise.resolve(places.map(() => bytes)),
    exchange: () => Promise.resolve(),
    collect: () => Promise.resolve(),
  };
}

/** sum += more, number by number. */
export function addNumbers(sum: Float32Array, more: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] += more[i];
}

/** Numbers the ranks of each machine. */
export function placesOf(processes: readonly Omit<RankPlace, "localRank">[]): RankPlace[] {
  const counts = new Map<string, number>();
  return processes.map(({ host, pid }) => {
    const localRank = counts.get(host) ?? 0;
    counts.set(host, localRank + 1);
    return { host, localRank, pid };
  });
}

/** A value of every rank, by rank, by way of JSON; numbers may also be NaN or infinite. */
export async function gatherJson<T>(world: World, value: T): Promise<T[]> {
  const text = JSON.stringify(
    value,
    (_, value) => typeof value === "number" && !Number.isFinite(value) ? { [NUMBER]: String(value) } : value,
  );
  const all = await world.gather(new TextEncoder().encode(text));
  return all.map((bytes) =>
    JSON.parse(new TextDecoder().decode(bytes), (_, value) => value?.[NUMBER] ? Number(value[NUMBER]) : value)
  );
}

/** Key of a number that JSON does not have. */
const NUMBER = "$number";
