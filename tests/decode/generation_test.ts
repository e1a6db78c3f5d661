import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { diskFiles } from "../../base/files/disk.ts";
import { beamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { Device } from "../../kernels/gpu/device.ts";
import type { Layout } from "../../kernels/gpu/tensor.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { buildTrie } from "../../sid/trie.ts";

interface Golden {
  prompts: number[][];
  catalogues: Record<string, number[][]>;
  /** Searches of each model: for every prompt the best SIDs, tokens and score. */
  models: Record<
    string,
    { catalogue: string; beams: number; repetitionPenalty?: number; results: number[][][] }[]
  >;
}
const golden: Golden = JSON.parse(
  await Deno.readTextFile(new URL("../golden/decoder/generate.json", import.meta.url)),
);
const LAYOUTS: Record<string, Layout> = { qwen2: "texture", qwen3: "buffer", llama: "texture" };

/** A decoder of the golden directories, and the files that were read for it. */
async function load(device: Device, name: string): Promise<{ decoder: Decoder; read: Set<string> }> {
  const read = new Set<string>();
  const note = (path: string) => void read.add(path.split("/").at(-1)!);
  const pretrained = await Pretrained.open(
    fileURLToPath(new URL(`../golden/decoder/${name}`, import.meta.url)),
    {
      ...diskFiles,
      readFile: (path) => (note(path), diskFiles.readFile(path)),
      readRange: (path, start, end) => (note(path), diskFiles.readRange(path, start, end)),
    },
  );
  const decoder = await Decoder.load(device, pretrained, pretrained.config);
  return { decoder, read };
}

function assertClose(actual: number, expected: number) {
  assert.ok(Math.abs(actual - expected) < 1e-4, `score is ${actual}, expected ${expected}`);
}

for (const [name, searches] of Object.entries(golden.models)) {
  Deno.test(`beamSearch() finds what transformers' generate finds with ${name}`, async () => {
    const device = await Device.open({ layout: LAYOUTS[name] });
    const { decoder, read } = await load(device, name);
    // The directory asks for sampling; neither the file nor its wishes are looked at.
    assert.deepEqual([...read].sort(), ["config.json", "model.safetensors"]);
    const prompts = golden.prompts.map((prompt) => Uint32Array.from(prompt));
    for (const { catalogue, beams, repetitionPenalty, results } of searches) {
      const sids = golden.catalogues[catalogue];
      const host = buildTrie(sids);
      const trie = new DeviceTrie(device, host);
      const options = { beams, normalisation: "vocab", repetitionPenalty } as const;
      const found = await beamSearch(device, decoder, trie, prompts, options);
      // Of SIDs that end earlier than others, transformers forgets some that these beams could still hold.
      const complete = catalogue === "three tokens" || beams === sids.length;
      found.forEach(({ leaves, scores }, u) => {
        const ours = leaves.map((leaf) => sids[host.itemsOf(leaf)[0]]);
        const expected = results[u].map((entry) => entry.slice(0, -1));
        if (complete) assert.deepEqual(ours, expected, `${catalogue}, ${beams} beams, prompt ${u}`);
        expected.forEach((sid, i) => {
          const score = results[u][i].at(-1)!;
          assert.ok(scores[i] > score - 1e-4, `score ${i} is ${scores[i]}, transformers finds ${score}`);
          const place = ours.findIndex((other) => other.join() === sid.join());
          if (place >= 0) assertClose(scores[place], score);
        });
      });
      trie.destroy();
    }
    decoder.destroy();
  });
}
