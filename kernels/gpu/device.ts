import { adapterLimits, findAdapter, isCpuAdapter, layoutOf } from "./adapters.ts";
import { Bindings, type Pipelines } from "./bindings.ts";
import { copyColumns, copyRows } from "./copy_rows.ts";
import { DeviceError } from "./device_error.ts";
import { DeviceMemory } from "./memory.ts";
import { type Dispatch, gridOf, type Kernel } from "./kernel.ts";
import { Flats } from "./flats.ts";
import { copyStaged, STAGED_FROM, Staging } from "./operands/staging.ts";
import { Profiler, type ProfileRow } from "./profiler.ts";
import { Pool } from "./pool.ts";
import { type PendingRead, Readback, type ReadWait } from "./readback.ts";
import { haveOf, type PinnedVariant, Variants } from "./variants.ts";
import {
  type Flat,
  freshId,
  groupsOf,
  isRows,
  type Layout,
  type Matrix,
  type MatrixDtype,
  padRows,
  rowBytes,
  type Tensor,
} from "./tensor.ts";

/** Settings of {@link Device.open}; all have defaults. */
export interface DeviceOptions {
  /**
   * Home of matrices. Default: textures on CPU adapters, where their reads are 2-3 times faster; buffers on GPUs and in
   * browsers, which allow a shader too few textures.
   */
  layout?: Layout;
  /**
   * What matrices are stored as. "float16" halves their bytes; it wants the buffer layout, which it then is by default.
   * Kernels compute in float32 either way, and flats (parameters, gradients, moments, statistics) stay float32.
   */
  dtype?: "float32" | "float16";
  /** Operations to serve with one variant whatever the shape; see `parseVariants()`. */
  variants?: readonly PinnedVariant[];
  /** Number among the adapters that `doctor` lists, or part of the name of one. Default: that for high performance. */
  adapter?: string;
  /** Groups of four numbers from which a result goes to its texture through a buffer, on CPU adapters. Default: 2048. */
  stagedFrom?: number;
  /** WebGPU to ask for the adapter. Default: that of the runtime. */
  gpu?: GPU;
}

/**
 * A WebGPU device with its caches: pipelines by kernel, uniforms by content, bind groups by operands, matrices by
 * shape. Work is recorded into one command encoder until `submit()`, so a training step is one submit.
 */
export class Device {
  /** The WebGPU device, for what this class does not wrap. */
  readonly gpu: GPUDevice;
  /** Vendor, architecture and description of the adapter. */
  readonly info: GPUAdapterInfo;
  /** Whether the adapter computes on the CPU, as Mesa's llvmpipe does. */
  readonly isCpu: boolean;
  /** Where matrices live. */
  readonly layout: Layout;
  /** What matrices are stored as, those apart that a kernel asks for in float32. */
  readonly dtype: MatrixDtype;
  /** Limits of the device: the most that the adapter allows. */
  readonly limits: GPUSupportedLimits;
  /** Optional WebGPU features that the device was opened with, such as `shader-f16`. */
  readonly features: ReadonlySet<string>;
  /** Which kernels serve an operation; the autotuner and `--variant` change it. */
  readonly variants: Variants;
  /** Pipelines by kernel, those of siblings too. */
  readonly compiled: ReadonlyMap<Kernel, readonly unknown[]>;
  /** Bytes held now, and their peak. */
  readonly memory: DeviceMemory;
  /** Bytes that it may hold; what would take more is refused, since the system would end the process. Default: no limit. */
  memoryLimit: number = Infinity;
  /** Dispatches, submits and allocations so far: what a steady step may not add to is tested with these. */
  readonly counters = { dispatches: 0, submits: 0, allocations: 0, bindGroups: 0, pipelines: 0 };

  #pool: Pool;
  #bindings: Bindings;
  #flats = new Flats();
  #staging: Staging | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #readback: Readback;
  #error: Error | undefined;
  #profiler: Profiler | undefined;

  private constructor(
    info: GPUAdapterInfo,
    gpu: GPUDevice,
    layout: Layout,
    dtype: MatrixDtype,
    { variants: pinned, stagedFrom = STAGED_FROM }: DeviceOptions = {},
    sibling?: Device,
  ) {
    this.memory = new DeviceMemory(sibling ? sibling.memory.together : new DeviceMemory());
    this.gpu = gpu;
    this.info = info;
    this.isCpu = isCpuAdapter(info);
    this.layout = layout;
    this.dtype = dtype;
    this.limits = gpu.limits;
    this.features = new Set(gpu.features as unknown as Iterable<string>);
    const storage = dtype === "f16" ? `${layout} ${dtype}` : layout;
    const id = `${info.vendor} ${info.architecture} ${info.description} ${storage}`;
    this.variants = new Variants(id, this.isCpu, pinned, haveOf(this.features, dtype, info.description));
    const pipelines = sibling?.compiled as Pipelines | undefined ?? new Map();
    this.compiled = pipelines;
    this.#bindings = new Bindings(gpu, layout, dtype, this.counters, pipelines);
    this.#readback = new Readback(gpu, this.counters);
    if (this.isCpu && layout === "texture") this.#staging = new Staging(stagedFrom, this);
    this.#pool = new Pool(
      (rows, cols, dtype) => this.createMatrix(rows, cols, dtype),
      (matrix) => this.destroy(matrix),
    );
    gpu.addEventListener("uncapturederror", (event) => {
      (event as Event).preventDefault();
      this.#error ??= new DeviceError((event as GPUUncapturedErrorEvent).error.message);
    });
    gpu.lost.then((lost) => {
      if (lost.reason !== "destroyed") this.#error ??= new DeviceError(`GPU device lost: ${lost.message}`);
    });
  }

  /** Opens an adapter with all of its limits. Throws {@link DeviceError} where there is none, or none of that name. */
  static async open(options: DeviceOptions = {}): Promise<Device> {
    const adapter = await findAdapter(options.adapter ?? "", options.gpu);
    const wanted = ["timestamp-query", "shader-f16", "subgroups"] as GPUFeatureName[];
    const gpu = await adapter.requestDevice({
      requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
      requiredLimits: adapterLimits(adapter.limits),
    });
    const half = options.dtype === "float16";
    const layout = layoutOf(adapter, half, options.layout);
    return new Device(adapter.info, gpu, layout, half ? "f16" : "f32", options);
  }

  /**
   * Another one on the same adapter, with the kernels that this one compiled or will, which takes longer than much of what
   * is done with them. Memory, counters and choices of variants are its own.
   */
  sibling(variants?: readonly PinnedVariant[]): Device {
    return new Device(this.info, this.gpu, this.layout, this.dtype, { variants }, this);
  }

  /** Runs `work` in a pool scope: matrices that it takes are free again afterwards. */
  scope<T>(work: () => T): T {
    this.#pool.open();
    let result: T;
    try {
      result = work();
    } catch (error) {
      this.#pool.close();
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => this.#pool.close()) as T;
    this.#pool.close();
    return result;
  }

  /**
   * Matrix (rows, cols) of the innermost scope; contents undefined except the padding lanes, which are 0. `dtype` "f32"
   * for what float16 cannot hold: statistics, sums of many terms, the residual stream.
   */
  matrix(rows: number, cols: number, dtype = this.dtype): Matrix {
    return this.#pool.take(rows, cols, dtype);
  }

  /** Ends the life of a scoped matrix early. */
  release(matrix: Matrix): void {
    this.#pool.release(matrix);
  }

  /** Lets a matrix of the innermost scope live as long as the scope around it. */
  lift(matrix: Matrix): void {
    this.#pool.lift(matrix);
  }

  /** Takes a scoped matrix out of its scope; `free()` it later. */
  keep(matrix: Matrix): Matrix {
    return this.#pool.keep(matrix);
  }

  /** Returns a kept matrix to the pool. */
  free(matrix: Matrix): void {
    this.#pool.adopt(matrix);
  }

  /** Matrix that lives until `destroy()`, filled with 0. */
  createMatrix(rows: number, cols: number, dtype = this.dtype): Matrix {
    const groups = groupsOf(cols);
    if (this.layout === "buffer") {
      const buffer = this.#buffer(rows * rowBytes(cols, dtype), `matrix (${rows}, ${cols})`);
      const storage = { layout: "buffer" as const, buffer, offset: 0 };
      return { kind: "matrix", id: freshId(), rows, cols, dtype, storage };
    }
    const max = this.limits.maxTextureDimension2D;
    if (rows > max || groups > max) {
      throw new DeviceError(
        `Cannot hold a matrix (${rows}, ${cols}) in a texture: this adapter allows (${max}, ${max * 4}). ` +
          "Use a smaller batch, or --variant buffer",
      );
    }
    this.memory.expectRoom(rows * groups * 16, `a matrix (${rows}, ${cols})`, this.memoryLimit);
    const texture = this.gpu.createTexture({
      size: [Math.max(groups, 1), Math.max(rows, 1)],
      format: "rgba32float",
      usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC,
    });
    this.counters.allocations++;
    this.memory.add("textures", rows * groups * 16);
    const view = texture.createView();
    return {
      kind: "matrix",
      id: freshId(),
      rows,
      cols,
      dtype,
      storage: { layout: "texture", texture, view },
    };
  }

  /** Flat array that lives until `destroy()`, filled with `data` or 0. */
  createFlat(dtype: Flat["dtype"], content: number | Float32Array | Uint32Array): Flat {
    const length = typeof content === "number" ? content : content.length;
    const buffer = this.#buffer(length * 4, `${length} elements of ${dtype}`);
    const flat: Flat = { kind: "flat", id: freshId(), dtype, length, buffer, offset: 0 };
    if (typeof content !== "number") this.write(flat, content);
    return flat;
  }

  /**
   * Flat of u32 until `giveBack()`, with these contents or any, of so many elements: one that was given back, if any is as
   * long, so that its bind groups are found again.
   */
  borrow(content: number | Uint32Array): Flat {
    const flat = this.#flats.take(typeof content === "number" ? content : content.length);
    if (flat && typeof content !== "number") this.write(flat, content);
    return flat ?? this.createFlat("u32", content);
  }

  /** Ends the use of borrowed flats. */
  giveBack(...flats: Flat[]): void {
    this.#flats.giveBack(flats);
  }

  /** Part of `flat` from element `start`; the byte offset must suit the adapter's binding alignment. */
  slice(flat: Flat, start: number, length: number): Flat {
    const offset = flat.offset + start * 4;
    if (offset % this.limits.minStorageBufferOffsetAlignment !== 0) {
      throw new RangeError(
        `slice() starts at byte ${offset}: expected a multiple of ${this.limits.minStorageBufferOffsetAlignment}`,
      );
    }
    return this.#flats.slice(flat, start, length, offset);
  }

  /** Whether a matrix and a flat can share memory: in buffers of float32. See {@link asMatrix}. */
  get viewsFlats(): boolean {
    return this.layout === "buffer" && this.dtype === "f32";
  }

  /** `flat` seen as a matrix (rows, cols) in the same memory, where {@link viewsFlats}. */
  asMatrix(flat: Flat, rows: number, cols: number): Matrix {
    if (!this.viewsFlats) {
      throw new Error(
        `asMatrix() cannot view float32 in place on a device of ${this.dtype} in the ${this.layout} layout: copy it with refresh()`,
      );
    }
    const storage = { layout: "buffer" as const, buffer: flat.buffer, offset: flat.offset };
    return { kind: "matrix", id: freshId(), rows, cols, dtype: this.dtype, storage };
  }

  /** Gives the memory of a tensor back; work that was recorded with it is submitted first. */
  destroy(tensor: Tensor): void {
    this.#flush();
    if (tensor.kind === "flat") {
      this.memory.add("buffers", -tensor.buffer.size);
      tensor.buffer.destroy();
      this.#flats.forget(tensor);
    } else if (tensor.storage.layout === "buffer") {
      this.memory.add("buffers", -tensor.storage.buffer.size);
      tensor.storage.buffer.destroy();
    } else {
      this.memory.add("textures", -tensor.rows * groupsOf(tensor.cols) * 16);
      tensor.storage.texture.destroy();
    }
    this.#bindings.clear();
  }

  /** Destroys free matrices of the pool and free flats: call between phases that use different shapes. */
  trim(): void {
    this.#pool.clear();
    this.#staging?.clear();
    this.#flats.takeAll().forEach((flat) => this.destroy(flat));
  }

  /** Uploads row-major data: (rows, cols) for a matrix, perhaps as `padRows()` gives it, or some rows of it from `row` on. Ordered after all work recorded so far. */
  write(tensor: Tensor, data: Float32Array | Uint32Array, row?: number): void {
    if (data.length === 0) return; // Deno panics on an empty upload
    this.#flush();
    if (tensor.kind === "flat") {
      if (data.length > tensor.length) {
        throw new RangeError(`write() of ${data.length} elements into ${tensor.length}: expected no more`);
      }
      this.gpu.queue.writeBuffer(tensor.buffer, tensor.offset, data as BufferSource);
      return;
    }
    const { cols } = tensor, first = row ?? 0, rows = row === undefined ? tensor.rows : data.length / cols;
    if (!isRows(data, rows, cols) || rows % 1 !== 0 || first + rows > tensor.rows) {
      throw new RangeError(`write() of ${data.length} elements into a matrix (${tensor.rows}, ${cols})`);
    }
    const padded = padRows(data as Float32Array, rows, cols);
    if (tensor.storage.layout === "buffer") {
      const stored = tensor.dtype === "f16" ? new Float16Array(padded) : padded;
      const offset = tensor.storage.offset + first * rowBytes(cols, tensor.dtype);
      this.gpu.queue.writeBuffer(tensor.storage.buffer, offset, stored as BufferSource);
    } else {
      this.gpu.queue.writeTexture(
        { texture: tensor.storage.texture, origin: [0, first] },
        padded as BufferSource,
        { bytesPerRow: groupsOf(cols) * 16 },
        [groupsOf(cols), rows],
      );
    }
  }

  /** Matrix with the contents of `data`, alive until `destroy()`. */
  upload(data: Float32Array, rows: number, cols: number): Matrix {
    const matrix = this.createMatrix(rows, cols);
    this.write(matrix, data);
    return matrix;
  }

  /** Submits what is recorded and reads arrays back in one wait. */
  async read(...tensors: Tensor[]): Promise<Float32Array[]> {
    return await this.readAfter({}, ...tensors);
  }

  /** Like `read`; `wait` says when the wait begins, and is told when it ends. What is recorded is submitted at once. */
  async readAfter(wait: ReadWait, ...tensors: Tensor[]): Promise<Float32Array[]> {
    this.#endPass();
    return await this.#finish(
      tensors.map((tensor) => this.#readback.copy(this.#encoding(), tensor)),
      wait,
    );
  }

  /** Like `read` for rows `first` to `first + count - 1` of a matrix (rows, cols) -> (count, cols). */
  async readRows(matrix: Matrix, first: number, count: number): Promise<Float32Array> {
    this.#endPass();
    const [rows] = await this.#finish([this.#readback.copy(this.#encoding(), matrix, first, count)]);
    return rows;
  }

  async #finish(
    pending: readonly PendingRead[],
    { begin, onComputed }: ReadWait = {},
  ): Promise<Float32Array[]> {
    this.submit();
    if (begin) await begin();
    const mapped = await this.#readback.mapped(pending, onComputed);
    this.#throwIfFailed();
    return mapped.map((copy) => this.#readback.finish(copy));
  }

  /** Like `read` for one flat of u32. */
  async readU32(flat: Flat): Promise<Uint32Array> {
    const [values] = await this.read(flat);
    return new Uint32Array(values.buffer, values.byteOffset, values.length);
  }

  /** Copies flats of equal length on the device. */
  copy(from: Flat, to: Flat): void {
    this.#endPass();
    this.#encoding().copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.length * 4);
  }

  /** Copies all rows of a matrix into another one of the same width, from its row `row` on. */
  copyRows(from: Matrix, to: Matrix, row: number): void {
    this.#endPass();
    copyRows(this.#encoding(), from, to, row);
  }

  /** Copies columns `first` to `first + count - 1`, multiples of 4, to the same place in a matrix of that shape; textures alone. */
  copyColumns(from: Matrix, to: Matrix, first: number, count: number): void {
    this.#endPass();
    copyColumns(this.#encoding(), from, to, first, count);
  }

  /** Sets every element to 0. */
  clear(flat: Flat): void {
    this.#endPass();
    this.#encoding().clearBuffer(flat.buffer, flat.offset, flat.length * 4);
  }

  /** Records one dispatch. */
  run(kernel: Kernel, dispatch: Dispatch): void {
    const staged = this.#staging?.of(kernel, dispatch);
    const { pipeline, group } = this.#bindings.of(kernel, dispatch, staged);
    const [x, y] = gridOf(kernel, dispatch.invocations);
    if (x === 0 || y === 0) return;
    const pass = this.#passEncoder(kernel.entry);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
    this.counters.dispatches++;
    if (!staged) return;
    this.#endPass();
    copyStaged(this.#encoding(), staged, dispatch);
  }

  /**
   * Runs `work` with a timestamp around every dispatch -> time and count by kernel entry, slowest first. Needs the
   * feature timestamp-query; at most 2048 dispatches.
   */
  async profile(work: () => void): Promise<ProfileRow[]> {
    if (!this.features.has("timestamp-query")) {
      throw new DeviceError("Cannot profile: this adapter has no timestamp-query");
    }
    this.submit();
    const profiler = this.#profiler = new Profiler(this.gpu);
    try {
      work();
    } finally {
      this.#profiler = undefined;
      this.#endPass();
    }
    const times = this.createFlat("u32", profiler.bytes / 4);
    profiler.resolve(this.#encoding(), times.buffer);
    const [words] = await this.read(times);
    this.destroy(times);
    return profiler.rows(new BigUint64Array(words.buffer, words.byteOffset, words.length / 2));
  }

  /** Sends the recorded work to the queue without waiting for it. */
  submit(): void {
    this.#endPass();
    if (this.#encoder) {
      this.gpu.queue.submit([this.#encoder.finish()]);
      this.#encoder = undefined;
      this.counters.submits++;
    }
    this.#throwIfFailed();
  }

  /** Submits and waits until the queue is empty. */
  async settle(): Promise<void> {
    const fence = this.createFlat("u32", 4);
    await this.read(fence);
    this.destroy(fence);
  }

  #buffer(bytes: number, what: string): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.limits.maxBufferSize) {
      throw new DeviceError(
        `Cannot allocate ${what}: ${size} bytes, this adapter allows ${this.limits.maxBufferSize} a buffer`,
      );
    }
    this.memory.expectRoom(size, what, this.memoryLimit);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.gpu.createBuffer({ size, usage });
    this.counters.allocations++;
    this.memory.add("buffers", size);
    return buffer;
  }

  #encoding(): GPUCommandEncoder {
    return this.#encoder ??= this.gpu.createCommandEncoder();
  }

  #passEncoder(entry: string): GPUComputePassEncoder {
    if (this.#profiler) {
      this.#endPass();
      return this.#pass = this.#profiler.begin(this.#encoding(), entry);
    }
    return this.#pass ??= this.#encoding().beginComputePass();
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  // Queue writes happen before everything that is submitted later, so recorded work goes first.
  #flush(): void {
    if (this.#encoder) this.submit();
  }

  #throwIfFailed(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) throw error;
  }
}
