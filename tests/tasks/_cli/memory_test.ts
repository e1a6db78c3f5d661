import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";
import {
  fittedSize,
  heapGrowth,
  limitMemory,
  tellAsked,
  tellMemory,
  tellRehearsed,
} from "../../../tasks/_cli/memory.ts";

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
  const inProcess = collector();
  await tellRehearsed(
    device,
    (counting, stop) => {
      counting.createFlat("f32", MIB);
      return stop(3 * MIB);
    },
    "both",
    inProcess,
  );
  assert.match(
    inProcess.lines[0],
    device.isCpu ? /: 7\.0 MiB for both, / : /about 4\.0 MiB of the GPU for both/,
  );
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

Deno.test("work on many things takes as many at once as there is memory for, and says so", async () => {
  const device = (await Device.open()).sibling();
  const open = () => Promise.resolve(device);
  const asked: number[] = [];
  /** A MiB a thing; 80 are usual, and more than 50 are more than the adapter has an array for. */
  const work = {
    what: ["sort", "things"] as const,
    flag: "--things",
    async rehearse(device: () => Promise<Device>, size: number, onSize: (size: number) => void) {
      asked.push(size);
      onSize(size || 80);
      if ((size || 80) > 50) throw new DeviceError("too large");
      (await device()).createFlat("f32", (size || 80) * MIB / 4);
    },
  };
  const withDevice = {
    ...work,
    rehearse: (async (
      device,
      ...rest
    ) => (await device(), await work.rehearse(device, ...rest))) as typeof work.rehearse,
  };
  const io = collector();
  assert.equal(await fittedSize(open, withDevice, 0, io), 40);
  assert.deepEqual(asked.splice(0), [0, 40]);
  assert.equal(io.lines[0], "Note: 40 things at once, since 80 are too many for the adapter");
  assert.match(io.lines[1], /: 40\.0 MiB for 40 things at once, /);

  // What it takes in the process counts where matrices lie there, too.
  await fittedSize(open, { ...withDevice, inProcess: () => 3 * MIB }, 40, io);
  assert.match(
    io.lines[2],
    device.isCpu ? /: 43\.0 MiB for 40 things at once, / : /about 40\.0 MiB of the GPU/,
  );
  asked.length = 0;

  device.memoryLimit = 12 * MIB;
  assert.equal(
    await fittedSize(open, withDevice, 40, collector()).catch((error) => error.message),
    "Cannot sort 40 things at once: it takes 40.0 MiB and 12.0 MiB of memory are left. Use a smaller --things, or leave it out",
  );
  asked.length = 0;
  assert.equal(await fittedSize(open, withDevice, 0, io), 10);
  assert.deepEqual(asked.splice(0), [0, 40, 20, 10]);
  device.memoryLimit = MIB / 2;
  await assert.rejects(fittedSize(open, withDevice, 0, io), {
    message:
      /^Cannot sort 1 things at once: it takes 1\.0 MiB and 512\.0 KiB of memory are left\. Use a smaller model/,
  });
  assert.equal(
    await fittedSize(open, { ...work, rehearse: () => Promise.resolve() }, 0, io),
    undefined,
    "no device",
  );

  limitMemory(device, { memoryLimit: 0 });
  assert.equal(device.memoryLimit, MIB / 2);
  limitMemory(device, { memoryLimit: 1000 });
  const left = 1000 * 2 ** 30 - device.memoryLimit;
  assert.ok(
    device.isCpu ? left > 0 && left < 2 ** 34 : left === 0,
    "what the process holds counts on a CPU adapter",
  );
});

Deno.test("heapGrowth() is what is made at most, and as much as V8 lets stand of it", () => {
  assert.equal(heapGrowth(1000)(), 1000);
  const { heapUsed, heapTotal } = Deno.memoryUsage();
  const most = heapGrowth(Infinity)();
  assert.ok(most > 0 && most <= 4 * heapUsed + 64 * MIB, `${most} with ${heapUsed} of ${heapTotal} used`);
});
