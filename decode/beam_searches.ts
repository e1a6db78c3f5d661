import type { Device } from "../kernels/gpu/device.ts";
import type { DecodeModel } from "../models/decoder/decode.ts";
import { buildTrie } from "../sid/trie.ts";
import { BeamSearch, type BeamSearchOptions } from "./beam_search.ts";
import { DeviceTrie } from "./device_trie.ts";

/** Parts of a catalogue that are kept, those asked for last: a server is asked for one category after the other. */
const KEPT_PARTS = 8;

/** A catalogue, or a part of it, with its searches by beams. */
interface Part {
  /** Item numbers; undefined: all. */
  items: readonly number[] | undefined;
  trie: DeviceTrie;
  searches: Map<number, BeamSearch>;
}

/**
 * Beam searches of one model over a catalogue and parts of it, made when they are asked for and kept: those of the whole
 * catalogue, and of the parts that were asked for last.
 */
export class BeamSearches {
  readonly #device: Device;
  readonly #model: DecodeModel;
  readonly #itemTokens: readonly Uint32Array[];
  readonly #options: Omit<BeamSearchOptions, "beams">;
  #whole: Part | undefined;
  /** The one that was asked for last at the end. */
  #parts: Part[] = [];

  /** `itemTokens` are what the model writes for each item (N). The model stays the caller's. */
  constructor(
    device: Device,
    model: DecodeModel,
    itemTokens: readonly Uint32Array[],
    options: Omit<BeamSearchOptions, "beams">,
  ) {
    this.#device = device;
    this.#model = model;
    this.#itemTokens = itemTokens;
    this.#options = options;
  }

  /** The search that keeps so many beams, over all items or those of `items`. Throws as {@link BeamSearch} does. */
  of(beams: number, items?: readonly number[]): BeamSearch {
    const { trie, searches } = this.#partOf(items);
    let search = searches.get(beams);
    if (!search) {
      search = new BeamSearch(this.#device, this.#model, trie, { beams, ...this.#options });
      searches.set(beams, search);
    }
    return search;
  }

  /** The trie of all items. */
  get trie(): DeviceTrie {
    return this.#partOf(undefined).trie;
  }

  /** Frees searches and tries. */
  destroy(): void {
    for (const part of [this.#whole, ...this.#parts]) part && destroyPart(part);
    this.#whole = undefined;
    this.#parts = [];
  }

  #partOf(items: readonly number[] | undefined): Part {
    if (items === undefined) return this.#whole ??= this.#make(undefined);
    const known = this.#parts.find((part) => isSame(part.items!, items));
    const part = known ?? this.#make([...items]);
    this.#parts = [...this.#parts.filter((other) => other !== part), part];
    if (this.#parts.length > KEPT_PARTS) destroyPart(this.#parts.shift()!);
    return part;
  }

  #make(items: readonly number[] | undefined): Part {
    const trie = new DeviceTrie(this.#device, buildTrie(this.#itemTokens, items));
    return { items, trie, searches: new Map() };
  }
}

function destroyPart({ trie, searches }: Part): void {
  for (const search of searches.values()) search.destroy();
  trie.destroy();
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
