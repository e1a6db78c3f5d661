import { existsSync, mkdirSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import manifest from "../deno.json" with { type: "json" };
import { installedLibraries } from "../base/mpi/library.ts";
import { UserError } from "../base/user_error.ts";
import { add } from "../kernels/elementwise/add.ts";
import { Device } from "../kernels/gpu/device.ts";
import { adapterName, findAdapter, isCpuAdapter, offeredAdapters } from "../kernels/gpu/adapters.ts";
import type { VariantRow } from "../kernels/gpu/variants.ts";
import { OPERATIONS } from "../kernels/operations.ts";
import { describeVariants } from "../kernels/variant_names.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { cacheFolder } from "../base/files/cache_folder.ts";
import { type CpuDriver, cpuDriver, otherDriver } from "./_doctor/cpu_driver.ts";
import wgsl from "./_doctor/probe.wgsl" with { type: "text" };

const LIMITS = {
  maxBufferSize: "buffer",
  maxStorageBufferBindingSize: "storage binding",
  maxStorageBuffersPerShaderStage: "storage buffers a stage",
  maxStorageTexturesPerShaderStage: "storage textures a stage",
  maxTextureDimension2D: "texture side",
  maxComputeWorkgroupStorageSize: "workgroup storage",
  maxComputeInvocationsPerWorkgroup: "invocations a workgroup",
} as const;
const FEATURES = ["shader-f16", "timestamp-query", "subgroups"] as const;
const ICD_FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
const WANTED_FREE_BYTES = 2 * 2 ** 30;

interface Problem {
  what: string;
  /** A command, or a sentence where no command helps. */
  fix: string;
  /** Nothing that needs the GPU runs until this is mended. */
  fatal: boolean;
}

interface Report {
  usable: boolean;
  genrec: string;
  deno: string;
  system: string;
  adapter: { name: string; vendor: string; cpu: boolean; driver?: CpuDriver } | null;
  /** All that `--adapter` can name; the place in the list is the number. */
  adapters: { name: string; cpu: boolean }[];
  limits: Partial<Record<keyof typeof LIMITS, number>>;
  features: Partial<Record<typeof FEATURES[number], boolean>>;
  onePlusOne: number | null;
  /** Whether matrices can be kept as float16, whose overflows must be seen. */
  float16: boolean;
  /** Kernels that serve the shapes of a usual training step. */
  variants: VariantRow[];
  /** Versions of MPI with which work can be done in several processes. */
  mpi: string[];
  cache: string;
  data: { folder: string; present: boolean };
  freeBytes: number;
  problems: Problem[];
}

const config = z.strictObject({ adapter: DeviceFlags.adapter });

export const task: Task<typeof config> = {
  name: "doctor",
  summary: "what this machine has and lacks, with the command that fixes it",
  examples: ["doctor", "doctor --json", "doctor --adapter 1"],
  config,
  async run({ adapter }, io) {
    const report = await examine(adapter);
    if (io.json) console.log(JSON.stringify(report, null, 2));
    else print(report, io);
    if (!report.usable) {
      const { what, fix } = report.problems.find(({ fatal }) => fatal)!;
      throw new UserError(`${what}. ${fix}`);
    }
  },
};

async function examine(wanted: string): Promise<Report> {
  const report: Report = {
    usable: true,
    genrec: manifest.version,
    deno: Deno.version.deno,
    system: `${Deno.build.os} ${Deno.build.arch}, ${navigator.hardwareConcurrency} cores`,
    adapter: null,
    adapters: [],
    limits: {},
    features: {},
    onePlusOne: null,
    float16: false,
    variants: [],
    mpi: installedLibraries().map(({ name, version }) => `${version} (${name})`),
    cache: cacheFolder(),
    data: dataFolder(),
    freeBytes: 0,
    problems: [],
  };
  checkDeno(report);
  await checkAdapter(report, wanted);
  if (report.onePlusOne === 2) {
    report.variants = await chosenVariants(wanted);
    report.float16 = await keepsFloat16(wanted);
  }
  checkDisk(report);
  if (!report.data.present) {
    report.problems.push({
      what: `No datasets at ${report.data.folder}: only the built-in one can be used by name`,
      fix: "Set GENREC_DATA to the folder that holds them",
      fatal: false,
    });
  }
  report.usable = !report.problems.some(({ fatal }) => fatal);
  return report;
}

function dataFolder(): Report["data"] {
  const folder = Deno.env.get("GENREC_DATA") ?? "../shared/data";
  return { folder, present: existsSync(folder) };
}

function checkDeno({ deno, problems }: Report): void {
  const [major, minor] = deno.split(".").map(Number);
  if (major < 2 || (major === 2 && minor < 8)) {
    problems.push({
      what: `Deno ${deno} is too old: 2.8 or later is needed`,
      fix: "deno upgrade",
      fatal: true,
    });
  }
}

async function checkAdapter(report: Report, wanted: string): Promise<void> {
  const offers = await offeredAdapters();
  if (offers.length === 0) {
    report.problems.push({ what: "Cannot find a WebGPU adapter", fix: missingAdapterFix(), fatal: true });
    return;
  }
  report.adapters = offers.map(({ name, isCpu }) => ({ name, cpu: isCpu }));
  const adapter = await findAdapter(wanted);
  // Read before requestDevice, which makes the adapter unusable.
  const { info, limits, features } = adapter;
  report.adapter = {
    name: adapterName(info),
    vendor: info.vendor,
    cpu: isCpuAdapter(info),
    ...(isCpuAdapter(info) && { driver: cpuDriver() }),
  };
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    report.limits[name] = Number(limits[name]);
  }
  for (const name of FEATURES) report.features[name] = features.has(name);
  if (report.adapter.cpu) {
    report.problems.push({
      what: "This is a CPU adapter: everything works, slower than on a GPU",
      fix: existsSync("/proc/driver/nvidia/version")
        ? nvidiaFix()
        : "Install the GPU's Vulkan driver if it has one",
      fatal: false,
    });
  }
  try {
    report.onePlusOne = await onePlusOne(adapter);
  } catch (error) {
    report.problems.push({
      what: `The adapter ${report.adapter.name} fails at 1 + 1: ${(error as Error).message}`,
      fix: "Update its driver, or use the CPU adapter: sudo apt-get install mesa-vulkan-drivers libvulkan1",
      fatal: true,
    });
    return;
  }
  if (report.onePlusOne !== 2) {
    report.problems.push({
      what: `The adapter ${report.adapter.name} says that 1 + 1 is ${report.onePlusOne}`,
      fix: "Update its driver, or set DENO_WEBGPU_BACKEND=vulkan",
      fatal: true,
    });
  }
}

async function chosenVariants(adapter: string): Promise<VariantRow[]> {
  const { device } = await openDevice({ adapter, variant: "" });
  for (const operation of OPERATIONS) {
    for (const shape of operation.usualShapes) device.variants.of(operation, shape);
  }
  return describeVariants(device);
}

async function keepsFloat16(adapter: string): Promise<boolean> {
  try {
    const device = await Device.open({ adapter, dtype: "float16" });
    const x = device.upload(Float32Array.of(1, 60000, -60000, 2 ** -20), 1, 4);
    const [twice] = await device.scope(() => device.read(add(device, x, x)));
    return [2, Infinity, -Infinity, 2 ** -19].every((expected, i) => twice[i] === expected);
  } catch {
    return false;
  }
}

async function onePlusOne(adapter: GPUAdapter): Promise<number> {
  const device = await adapter.requestDevice();
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: "tasks/_doctor/probe.wgsl", code: wgsl });
  const storage = (type: GPUBufferBindingType, binding: number) => (
    { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }
  );
  const layout = device.createBindGroupLayout({
    entries: [storage("read-only-storage", 0), storage("storage", 1)],
  });
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "add_one_and_one" },
  });
  const one = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
  const out = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(one, 0, new Float32Array([1, 0, 0, 0]));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout,
      entries: [{ binding: 0, resource: { buffer: one } }, { binding: 1, resource: { buffer: out } }],
    }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(out, 0, staging, 0, 16);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  await staging.mapAsync(GPUMapMode.READ);
  const [sum] = new Float32Array(staging.getMappedRange());
  staging.unmap();
  return sum;
}

function missingAdapterFix(): string {
  if (Deno.build.os !== "linux") return "Update the graphics driver";
  for (const name of ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]) {
    const value = Deno.env.get(name);
    if (value && !value.split(":").some((file) => existsSync(file))) {
      return `${name} names ${value}, which does not exist: unset ${name}`;
    }
  }
  if (existsSync("/proc/driver/nvidia/version")) return nvidiaFix();
  const loader = hasVulkanLoader() ? "" : "The Vulkan loader (libvulkan.so.1) is missing. ";
  const drivers = ICD_FOLDERS.flatMap((folder) => existsSync(folder) ? readdirSync(folder) : []);
  const driver = drivers.length ? "" : "No Vulkan driver is registered. ";
  const sudo = Deno.uid() === 0 ? "" : "sudo ";
  const install = existsSync("/usr/bin/apt-get")
    ? `${sudo}apt-get update && ${sudo}apt-get install -y mesa-vulkan-drivers libvulkan1`
    : "Install Mesa's Vulkan drivers and the Vulkan loader with the system's package manager";
  return `${loader}${driver}Run: ${install}`;
}

function nvidiaFix(): string {
  return "An NVIDIA driver is loaded but Vulkan does not see it: in a container set " +
    "NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility, and run: apt-get install -y libvulkan1 libegl1 libxext6";
}

function hasVulkanLoader(): boolean {
  try {
    Deno.dlopen("libvulkan.so.1", {}).close();
    return true;
  } catch {
    return false;
  }
}

function checkDisk(report: Report): void {
  try {
    mkdirSync(report.cache, { recursive: true });
    const probe = join(report.cache, `.doctor-${Deno.pid}`);
    Deno.writeTextFileSync(probe, "");
    Deno.removeSync(probe);
  } catch (error) {
    report.problems.push({
      what: `Cannot write to the cache folder ${report.cache}: ${(error as Error).message}`,
      fix: "Set GENREC_CACHE to a folder that can be written",
      fatal: false,
    });
  }
  const { bavail, bsize } = statfsSync(".");
  report.freeBytes = bavail * bsize;
  if (report.freeBytes < WANTED_FREE_BYTES) {
    report.problems.push({
      what: `Only ${size(report.freeBytes)} are free here: checkpoints may not fit`,
      fix: "Free some space, or write runs elsewhere with --out",
      fatal: false,
    });
  }
}

function print(report: Report, io: TaskIO): void {
  const row = (name: string, value: string) => io.log(`  ${name.padEnd(26)} ${value}`);
  io.log(`genrec ${report.genrec}`);
  row("Deno", report.deno);
  row("system", report.system);
  if (report.adapter) {
    row("adapter", `${report.adapter.name}${report.adapter.cpu ? " (CPU adapter)" : ""}`);
    const { driver } = report.adapter;
    if (driver) row("driver", `${driver.version} (${driver.path})`);
    const other = driver && otherDriver(driver);
    if (other) row("another driver", other);
    report.adapters.forEach(({ name, cpu }, number) =>
      row(`--adapter ${number}`, `${name}${cpu ? " (CPU adapter)" : ""}`)
    );
    for (const [name, label] of Object.entries(LIMITS)) {
      const value = report.limits[name as keyof typeof LIMITS]!;
      row(label, /Size$/.test(name) ? size(value) : String(value));
    }
    for (const name of FEATURES) row(name, report.features[name] ? "yes" : "no");
    row("float16 matrices", report.float16 ? "yes" : "no");
    row("1 + 1 on it", report.onePlusOne === null ? "failed" : String(report.onePlusOne));
  } else {
    row("adapter", "none");
  }
  for (const { operation, shape, variant, why } of report.variants) {
    row(`${operation}, ${shape}`, `${variant} (${why})`);
  }
  row("several processes", report.mpi.join(", ") || "no MPI library");
  row("cache", report.cache);
  row("datasets (GENREC_DATA)", `${report.data.folder}${report.data.present ? "" : " (absent)"}`);
  row("free disk here", size(report.freeBytes));
  for (const { what, fix, fatal } of report.problems) {
    io.log(`${fatal ? "MISSING" : "note"}: ${what}`);
    io.log(`  -> ${fix}`);
  }
  io.log(report.usable ? "Ready." : "Not usable yet.");
}

/** Bytes as `128 MiB`, with three digits. */
function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${Number(bytes.toPrecision(3))} ${units[unit]}`;
}
