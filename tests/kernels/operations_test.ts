import assert from "node:assert/strict";
import { Device } from "../../kernels/gpu/device.ts";
import { OPERATIONS } from "../../kernels/operations.ts";

Deno.test("operations have names and variants that tell them apart, and defaults of their own", () => {
  const unique = (names: readonly string[]) => assert.equal(new Set(names).size, names.length, names.join());
  unique(OPERATIONS.map(({ name }) => name));
  for (const operation of OPERATIONS) {
    unique(operation.variants.map(({ name }) => name));
    unique(operation.usualShapes.map((shape) => operation.className(shape)));
    unique(operation.usualShapes.map((shape) => String(operation.classOf(shape))));
    for (const isCpu of [true, false]) {
      for (const has of [[], ["512-bit vectors"]].map((has) => new Set(has))) {
        const served = operation.defaultOf(isCpu, has);
        assert.ok(operation.variants.includes(served), operation.name);
        assert.ok((served.needs ?? []).every((need) => has.has(need)), `${operation.name} ${served.name}`);
      }
    }
  }
});

Deno.test("the workload of a usual shape asks for that shape's class, and for nothing else of its operation", async () => {
  const device = await Device.open();
  for (const operation of OPERATIONS) {
    for (const shape of operation.usualShapes) {
      device.variants.of(operation, shape);
      const asked = device.variants.untuned(operation).length;
      const flats = device.scope(() => {
        const { call, flats } = operation.workload(device, shape);
        call();
        return flats;
      });
      await device.settle();
      flats.forEach((flat) => device.destroy(flat));
      assert.equal(device.variants.untuned(operation).length, asked, operation.className(shape));
    }
  }
});
