import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";
import { tellAsked, tellMemory, tellRehearsed } from "../../../tasks/_cli/memory.ts";

const MIB = 2 ** 20;

function collector() {
  const lines: string[] = [];
  return { lines, log: (line: string) => lines.push(line) };
}

Deno.test("tasks say what they take in one way: with the process on a CPU adapter, nothing for nothing", async () => {
  const device = await Device.open(), io = collector();
  tellMemory(device, 0, "nothing", io);
  assert.deepEqual(io.lines, []);
  tellMemory(device, 300 * MIB, "the work", io);
  const told =
    /^Memory: about (\d+\.\d) (MiB|GiB): 300\.0 MiB for the work, (\d+\.\d) (MiB|GiB) of the process$/
      .exec(io.lines[0])!;
  assert.ok(told, io.lines[0]);
  // The process is that of all test files.
  if (told[2] === "MiB") assert.ok(Math.abs(Number(told[1]) - 300 - Number(told[3])) < 0.2, io.lines[0]);
  tellMemory({ isCpu: false } as Device, 300 * MIB, "the work", io);
  assert.equal(io.lines[1], "Memory: about 300.0 MiB of the GPU for the work");

  await tellRehearsed(
    device,
    (counting, stop) => {
      counting.createFlat("f32", MIB);
      return stop();
    },
    "an array",
    io,
  );
  assert.match(io.lines[2], /: 4\.0 MiB for an array, /);
  let opened = 0;
  const open = () => (opened++, Promise.resolve(device));
  await tellAsked(open, () => Promise.resolve(), "counts alone", io);
  assert.deepEqual([opened, io.lines.length], [0, 3]);
  await tellAsked(open, async (device) => (await device()).createFlat("f32", 2 * MIB), "an array", io);
  assert.match(io.lines[3], /: 8\.0 MiB for an array, /);

  device.memoryLimit = MIB;
  await assert.rejects(
    () => tellAsked(open, async (device) => (await device()).createFlat("f32", MIB), "too much", io),
    (error: Error) => error instanceof DeviceError && /were free at the start/.test(error.message),
  );
});
