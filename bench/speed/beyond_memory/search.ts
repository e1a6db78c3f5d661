/**
 * Builds the tree of so many SIDs and decodes under it, in turn with the tree of 10,000, in a process of its own: prints JSON.
 * SIDs are of three levels of 256 codewords, spread evenly; the decoder is small and untrained.
 *
 *     deno run -A bench/speed/beyond_memory/search.ts ITEMS [USERS]
 */
import { PhiloxStream } from "../../../base/philox.ts";
import { BeamSearch } from "../../../decode/beam_search.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Decoder } from "../../../models/decoder/decoder.ts";
import { buildTrie, type Trie } from "../../../sid/trie.ts";
import { smallDecoderConfig } from "../../results/small_decoder.ts";
import { type Cost, costOf } from "../cost.ts";

/** What the process prints. */
export interface SearchReport {
  /** What building the tree took. */
  build: Cost;
  nodes: number;
  /** Of its arrays. */
  treeBytes: number;
  /** Of its copy on the device. */
  deviceBytes: number;
  /** Decoded in a second, of each turn. */
  usersPerSecond: number[];
  /** The same under the small tree. */
  besideSmall: number[];
}

const LEVELS = 3, CODEWORDS = 256, VOCABULARY = LEVELS * CODEWORDS;
const SMALL = 10_000, PROMPT = 60, BEAMS = 50, TURNS = 7;

/** SIDs as token ids. Times an odd number permutes the numbers below 2^24, so that all differ. */
function sidsOf(items: number): number[][] {
  return Array.from({ length: items }, (_, item) => {
    const code = Math.imul(item, 0x9e3779b1) & 0xffffff;
    return [code >>> 16, CODEWORDS + (code >>> 8) % CODEWORDS, 2 * CODEWORDS + code % CODEWORDS];
  });
}

function bytesOf(trie: Trie): number {
  return Object.values(trie).reduce(
    (sum, value) => sum + (ArrayBuffer.isView(value) ? value.byteLength : 0),
    0,
  );
}

/** An untrained decoder. */
function smallModel(device: Device): Decoder {
  const model = new Decoder(
    device,
    smallDecoderConfig({ width: 64, layers: 2, vocabulary: VOCABULARY }, PROMPT + LEVELS),
  );
  const random = new PhiloxStream(1, "bench decoder");
  const { values, length } = model.parameters;
  device.write(values, Float32Array.from({ length }, () => 0.1 * random.normal()));
  model.parameters.refresh();
  return model;
}

async function report(items: number, users: number): Promise<SearchReport> {
  const sids = sidsOf(items);
  const { result: trie, cost: build } = await costOf(() => Promise.resolve(buildTrie(sids)));
  const device = await Device.open();
  const model = smallModel(device);
  const searches = [trie, buildTrie(sidsOf(SMALL))].map((each) =>
    new BeamSearch(device, model, new DeviceTrie(device, each), { beams: BEAMS, normalisation: "vocab" })
  );
  const random = new PhiloxStream(2, "bench prompts");
  const prompts = Array.from(
    { length: users },
    () => Uint32Array.from({ length: PROMPT }, () => random.below(VOCABULARY)),
  );
  const batch = Math.min(...searches.map(({ promptsPerBatch }) => promptsPerBatch));
  const [usersPerSecond, besideSmall]: number[][] = [[], []];
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const [i, search] of searches.entries()) {
      const before = performance.now();
      for (let at = 0; at < users; at += batch) await search.run(prompts.slice(at, at + batch));
      // The first turn compiles.
      if (turn > 0) [usersPerSecond, besideSmall][i].push(users / ((performance.now() - before) / 1000));
    }
  }
  const { nodeCount: nodes } = trie;
  return {
    build,
    nodes,
    treeBytes: bytesOf(trie),
    deviceBytes: 8 * nodes,
    usersPerSecond,
    besideSmall,
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(await report(Number(Deno.args[0]), Number(Deno.args[1] ?? 32))));
  Deno.exit(0); // without destroying the device
}
