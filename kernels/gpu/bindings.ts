import operandsBuffer from "./operands/buffer.wgsl" with { type: "text" };
import operandsHalf from "./operands/half.wgsl" with { type: "text" };
import { stagedBytes, stagedPitch } from "./operands/staging.ts";
import operandsTexture from "./operands/texture.wgsl" with { type: "text" };
import stagedOutputs from "./operands/staged_outputs.wgsl" with { type: "text" };
import textureOutputs from "./operands/texture_outputs.wgsl" with { type: "text" };
import { DeviceError } from "./device_error.ts";
import {
  type Dispatch,
  FIRST_FLAT,
  FIRST_OUTPUT,
  type Kernel,
  PARAMS,
  type ShaderFeature,
  SHAPES,
} from "./kernel.ts";
import {
  type Flat,
  freshId,
  groupsOf,
  type Layout,
  type MatrixDtype,
  rowBytes,
  type Tensor,
} from "./tensor.ts";

/** Compiled kernels by kernel, then by the operands that are float32 among float16 ones, or by whether it is staged. */
export type Pipelines = Map<Kernel, Compiled[]>;

/** How many pipelines there are in `others`, each counted once, that are not among `known`. */
export function pipelinesBeyond(
  known: ReadonlyMap<Kernel, readonly unknown[]>,
  ...others: ReadonlyMap<Kernel, readonly unknown[]>[]
): number {
  const kernels = new Set(others.flatMap((other) => [...other.keys()]));
  let count = 0;
  for (const kernel of kernels) {
    const places = new Set(others.flatMap((other) => Object.keys(other.get(kernel) ?? [])));
    for (const place of places) count += known.get(kernel)?.[Number(place)] ? 0 : 1;
  }
  return count;
}

interface Compiled {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
  id: number;
}

/** What a shader begins with that uses a feature. */
const ENABLES: Record<ShaderFeature, string> = {
  "subgroups": "enable subgroups;\n",
  "shader-f16": "enable f16;\n",
};

/** Bind groups that are kept. */
const MOST_BIND_GROUPS = 16384;

/** Caches of what a dispatch needs: pipelines by kernel, uniforms by content, bind groups by operands. */
export class Bindings {
  #gpu: GPUDevice;
  #layout: Layout;
  #dtype: MatrixDtype;
  #limits: GPUSupportedLimits;
  #counters: { bindGroups: number; pipelines: number };
  readonly #pipelines: Pipelines;
  #uniforms = new Map<string, GPUBuffer>();
  #bindGroups = new Map<string, GPUBindGroup>();

  /** `dtype` is that of most matrices. `counters` is added to for each object that had to be made, `pipelines` too. */
  constructor(
    gpu: GPUDevice,
    layout: Layout,
    dtype: MatrixDtype,
    counters: { bindGroups: number; pipelines: number },
    pipelines: Pipelines,
  ) {
    this.#gpu = gpu;
    this.#layout = layout;
    this.#dtype = dtype;
    this.#limits = gpu.limits;
    this.#counters = counters;
    this.#pipelines = pipelines;
  }

  /** Pipeline and bind group of a dispatch, whose results go to `staged` where there is such. */
  of(
    kernel: Kernel,
    dispatch: Dispatch,
    staged: readonly Flat[] | undefined,
  ): { pipeline: GPUComputePipeline; group: GPUBindGroup } {
    const { pipeline, layout, id } = this.#pipeline(kernel, this.#wideOperands(dispatch), !!staged);
    return { pipeline, group: this.#bindGroup(kernel, layout, id, dispatch, staged) };
  }

  /** Forgets bind groups: those of destroyed tensors must not be found again. */
  clear(): void {
    this.#bindGroups.clear();
  }

  /** `F32_OPERANDS` of operands/half.wgsl. */
  #wideOperands({ inputs = [], outputs = [] }: Dispatch): number {
    let mask = 0;
    if (this.#dtype === "f32") return mask;
    inputs.forEach(({ dtype }, i) => mask |= dtype === "f32" ? 1 << i : 0);
    outputs.forEach(({ dtype }, i) => mask |= dtype === "f32" ? 1 << (FIRST_OUTPUT + i) : 0);
    return mask;
  }

  #pipeline(kernel: Kernel, wideOperands: number, staged: boolean): Compiled {
    let byOperands = this.#pipelines.get(kernel);
    if (!byOperands) this.#pipelines.set(kernel, byOperands = []);
    const place = staged ? 1 : wideOperands; // the staged have no float16 operands
    const known = byOperands[place];
    if (known) return known;
    if (kernel.inputs > FIRST_OUTPUT || kernel.outputs > 2) {
      throw new RangeError(`${kernel.label} ${kernel.entry}: at most ${FIRST_OUTPUT} inputs and 2 outputs`);
    }
    const visibility = GPUShaderStage.COMPUTE;
    const entries: GPUBindGroupLayoutEntry[] = [];
    const matrix = (binding: number, access: "read-only" | "write-only") =>
      entries.push(
        this.#layout === "texture" && !(staged && access === "write-only")
          ? { binding, visibility, storageTexture: { access, format: "rgba32float" } }
          : {
            binding,
            visibility,
            buffer: { type: access === "read-only" ? "read-only-storage" : "storage" },
          },
      );
    for (let i = 0; i < kernel.inputs; i++) matrix(i, "read-only");
    for (let i = 0; i < kernel.outputs; i++) matrix(FIRST_OUTPUT + i, "write-only");
    kernel.flats.forEach((access, i) =>
      entries.push({
        binding: FIRST_FLAT + i,
        visibility,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      })
    );
    if (kernel.params !== false) entries.push({ binding: PARAMS, visibility, buffer: { type: "uniform" } });
    if (this.#layout === "buffer" || staged) {
      entries.push({ binding: SHAPES, visibility, buffer: { type: "uniform" } });
    }
    const half = this.#dtype === "f16";
    const textures = operandsTexture + (staged ? stagedOutputs : textureOutputs);
    const prelude = this.#layout === "texture" ? textures : half ? operandsHalf : operandsBuffer;
    const constants = half ? { ...kernel.constants, F32_OPERANDS: wideOperands } : kernel.constants;
    const enables = kernel.needs ? ENABLES[kernel.needs] : "";
    const module = this.#gpu.createShaderModule({
      label: kernel.label,
      code: enables + prelude + kernel.code,
    });
    const layout = this.#gpu.createBindGroupLayout({ label: kernel.label, entries });
    const pipeline = this.#gpu.createComputePipeline({
      label: `${kernel.label} ${kernel.entry}`,
      layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: kernel.entry, constants },
    });
    this.#counters.pipelines++;
    const made = { pipeline, layout, id: freshId() };
    byOperands[place] = made;
    return made;
  }

  #bindGroup(
    kernel: Kernel,
    layout: GPUBindGroupLayout,
    pipelineId: number,
    dispatch: Dispatch,
    staged: readonly Flat[] | undefined,
  ): GPUBindGroup {
    const { inputs = [], outputs = [], flats = [], u32 = [], f32 = [] } = dispatch;
    if (
      inputs.length !== kernel.inputs || outputs.length !== kernel.outputs ||
      flats.length !== kernel.flats.length
    ) {
      throw new RangeError(
        `${kernel.entry} got ${inputs.length} inputs, ${outputs.length} outputs, ${flats.length} flats: ` +
          `expected ${kernel.inputs}, ${kernel.outputs}, ${kernel.flats.length}`,
      );
    }
    let key = `${pipelineId}|`;
    for (const matrix of inputs) key += `${matrix.id},`;
    outputs.forEach(({ id, rows, cols }, i) => key += staged ? `${staged[i].id} ${rows} ${cols},` : `${id},`);
    for (const flat of flats) key += `${flat.id},`;
    if (kernel.params !== false) key += `|${u32.join()}|${f32.join()}`;
    const known = this.#bindGroups.get(key);
    if (known) return known;

    const entries: GPUBindGroupEntry[] = [];
    inputs.forEach((matrix, i) => entries.push({ binding: i, resource: this.#resource(matrix) }));
    outputs.forEach((matrix, i) => {
      const resource = staged
        ? { buffer: staged[i].buffer, size: Math.max(16, stagedBytes(matrix)) }
        : this.#resource(matrix);
      entries.push({ binding: FIRST_OUTPUT + i, resource });
    });
    flats.forEach((flat, i) => entries.push({ binding: FIRST_FLAT + i, resource: this.#resource(flat) }));
    if (kernel.params !== false) {
      const content = new Uint32Array(u32.length + f32.length);
      content.set(u32);
      content.set(new Uint32Array(new Float32Array(f32).buffer), u32.length);
      entries.push({ binding: PARAMS, resource: { buffer: this.#uniform(content) } });
    }
    if (this.#layout === "buffer") {
      const shapes = new Uint32Array(32);
      inputs.forEach((m, i) => shapes.set([groupsOf(m.cols), m.rows], i * 4));
      outputs.forEach((m, i) => shapes.set([groupsOf(m.cols), m.rows], (FIRST_OUTPUT + i) * 4));
      entries.push({ binding: SHAPES, resource: { buffer: this.#uniform(shapes) } });
    }
    if (staged) {
      const shapes = new Uint32Array(8);
      outputs.forEach(({ rows, cols }, i) => shapes.set([stagedPitch(cols), rows, groupsOf(cols)], i * 4));
      entries.push({ binding: SHAPES, resource: { buffer: this.#uniform(shapes) } });
    }
    const group = this.#gpu.createBindGroup({ label: kernel.label, layout, entries });
    this.#counters.bindGroups++;
    if (this.#bindGroups.size >= MOST_BIND_GROUPS) this.#bindGroups.clear();
    this.#bindGroups.set(key, group);
    return group;
  }

  #resource(tensor: Tensor): GPUBindingResource {
    if (tensor.kind === "flat") {
      const size = Math.max(16, Math.ceil(tensor.length / 4) * 16);
      this.#checkBinding(size, `${tensor.length} elements`);
      return {
        buffer: tensor.buffer,
        offset: tensor.offset,
        size: Math.min(size, tensor.buffer.size - tensor.offset),
      };
    }
    if (tensor.storage.layout === "texture") return tensor.storage.view;
    const size = tensor.rows * rowBytes(tensor.cols, tensor.dtype);
    this.#checkBinding(size, `a matrix (${tensor.rows}, ${tensor.cols})`);
    return { buffer: tensor.storage.buffer, offset: tensor.storage.offset, size: Math.max(16, size) };
  }

  #checkBinding(size: number, what: string): void {
    if (size > this.#limits.maxStorageBufferBindingSize) {
      throw new DeviceError(
        `Cannot bind ${what}: ${size} bytes, this adapter allows ${this.#limits.maxStorageBufferBindingSize} ` +
          "a binding. Split it, or use a smaller batch",
      );
    }
  }

  #uniform(content: Uint32Array): GPUBuffer {
    const key = content.join();
    const known = this.#uniforms.get(key);
    if (known) return known;
    const size = Math.max(16, Math.ceil(content.length / 4) * 16);
    const buffer = this.#gpu.createBuffer({ size, usage: GPUBufferUsage.UNIFORM, mappedAtCreation: true });
    new Uint32Array(buffer.getMappedRange()).set(content);
    buffer.unmap();
    this.#uniforms.set(key, buffer);
    return buffer;
  }
}
