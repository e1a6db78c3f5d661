import assert from "node:assert/strict";
import * as registry from "../../kernels/registry.ts";
import { filesIn, importsOf, read, root, targetOf } from "./imports.ts";

const kernels = filesIn("kernels", ".ts").filter((path) => path !== "kernels/registry.ts");
const isSpec = (path: string) => path.endsWith("_spec.ts");

Deno.test("the spec of a kernel lies beside it", () => {
  const alone = kernels.filter((path) =>
    isSpec(path) && !kernels.includes(path.replace(/_spec\.ts$/, ".ts"))
  );
  assert.deepEqual(alone, [], "the spec of x.ts is x_spec.ts in the same folder");
});

Deno.test("kernels themselves know nothing of their specs, which are not published", () => {
  const users = kernels.filter((path) => !isSpec(path)).flatMap((path) =>
    importsOf(read(path))
      .filter(({ specifier }) => isSpec(targetOf(path, specifier) ?? ""))
      .map(({ specifier }) => `${path} imports ${specifier}`)
  );
  const inline = kernels.filter((path) =>
    !isSpec(path) && path !== "kernels/gpu/spec.ts" && /\bKernelSpec\b/.test(read(path))
  );
  assert.deepEqual(users, []);
  assert.deepEqual(inline, [], "move the spec of x.ts to x_spec.ts");
});

Deno.test("every spec has its line in kernels/registry.ts", async () => {
  const registered = new Set<unknown>(Object.values(registry));
  const missing: string[] = [];
  for (const path of kernels.filter(isSpec)) {
    for (const [name, value] of Object.entries(await import(new URL(path, `file://${root}`).href))) {
      if (/^(spec|\w+Spec)$/.test(name) && typeof value === "object" && !registered.has(value)) {
        missing.push(`export { ${name} } from "./${path.slice("kernels/".length)}";`);
      }
    }
  }
  assert.deepEqual(missing, [], "add these lines");
});
