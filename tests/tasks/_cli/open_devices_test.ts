import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const MODULE = fileURLToPath(new URL("../../../tasks/_cli/open_devices.ts", import.meta.url));
const SHOWN = ["DENO_WEBGPU_BACKEND", "MESA_SHADER_CACHE_DIR", "MESA_SHADER_CACHE_DISABLE"];

/** What a process with this environment has of {@link SHOWN} after the settings. */
async function settingsWith(env: Record<string, string>): Promise<(string | null)[]> {
  const script = `import { setDriver } from ${JSON.stringify(`file://${MODULE}`)};
    setDriver();
    console.log(JSON.stringify(${JSON.stringify(SHOWN)}.map((name) => Deno.env.get(name) ?? null)));`;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH")!, ...env },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test({
  name: "vectors of another width have a shader cache of their own, and what the user set stays",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "genrec-driver-" });
    try {
      const HOME = folder, GENREC_CACHE = `${folder}/cache`;
      assert.deepEqual(await settingsWith({ HOME, GENREC_CACHE }), ["vulkan", null, null]);
      const wide = { HOME, GENREC_CACHE, LP_NATIVE_VECTOR_WIDTH: "512" };
      assert.deepEqual(await settingsWith(wide), ["vulkan", `${GENREC_CACHE}/shaders-512-bits`, null]);
      const own = { ...wide, DENO_WEBGPU_BACKEND: "gl", MESA_SHADER_CACHE_DIR: `${folder}/mine` };
      assert.deepEqual(await settingsWith(own), ["gl", `${folder}/mine`, null]);
      const without = { ...wide, GENREC_CACHE: "/dev/null/nowhere" };
      assert.deepEqual(
        await settingsWith(without),
        ["vulkan", null, "true"],
        "none rather than the shared one",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
