// The parts that docs/guides/adding.md makes do what it says.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Device } from "../../kernels/gpu/device.ts";
import type { KernelSpec } from "../../kernels/gpu/spec.ts";
import type { RewardMethod } from "../../train/rl/rewards/reward.ts";
import { checkBackward, checkForward } from "../kernel_check.ts";
import { exampleContext, exampleGroup } from "../train/rl/rewards/example.ts";
import { fencesOf, pages, root } from "./markdown.ts";

const parts = fencesOf("docs/guides/adding.md", pages()["docs/guides/adding.md"])
  .filter(({ info }) => / .*\//.test(info))
  .map(({ info, text }) => ({ path: info.split(" ")[1], text }));

/** Runs `use` with a folder that holds the page's parts, whose imports of the project's files lead there. */
async function withParts(use: (load: (path: string) => Promise<Record<string, unknown>>) => Promise<void>) {
  const folder = Deno.makeTempDirSync({ prefix: "genrec-adding-" });
  try {
    for (const { path, text } of parts) {
      const linked = text.replace(/from "(\.[^"]+)"/g, (whole, specifier: string) => {
        const target = join(dirname(path), specifier);
        if (parts.some((part) => part.path === target)) return whole;
        return `from "${pathToFileURL(join(root, target)).href}"`;
      });
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), linked);
    }
    await use((path) => import(pathToFileURL(join(folder, path)).href));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("the kernel of docs/guides/adding.md equals its reference, gradients included", async () => {
  await withParts(async (load) => {
    const { spec } = await load("kernels/elementwise/square_spec.ts") as { spec: KernelSpec };
    for (const layout of ["texture", "buffer"] as const) {
      const device = await Device.open({ layout });
      for (const kernelCase of spec.cases()) {
        await checkForward(device, spec, kernelCase);
        await checkBackward(device, spec, kernelCase);
      }
    }
  });
});

Deno.test("the reward of docs/guides/adding.md takes its penalty off for what the history holds", async () => {
  await withParts(async (load) => {
    const { novelty } = await load("train/rl/rewards/novelty.ts") as { novelty: RewardMethod };
    assert.deepEqual(novelty.Config!.parse({}), { repeatPenalty: 1 });
    const reward = await novelty.create(exampleContext(), novelty.Config!.parse({ repeatPenalty: 0.5 }));
    // Items 0 and 2 were bought before.
    const values = await reward.score(exampleGroup([0, 1, 2, 3], [1], { history: [2, 0] }));
    assert.deepEqual([...values], [-0.5, 0, -0.5, 0]);
  });
});

Deno.test("every part of docs/guides/adding.md has a name and a room", () => {
  assert.deepEqual(parts.map(({ path }) => basename(path)), [
    "novelty.ts",
    "square.wgsl",
    "square.ts",
    "square_spec.ts",
  ]);
});
