import { Device } from "../kernels/gpu/device.ts";

/** A device, or what opens one when weights are loaded; default: `Device.open()`. */
export type WeightsDevice = Device | (() => Promise<Device>) | undefined;

/** Something on a device. */
interface Loaded {
  destroy(): void;
}

/** Weights of a recommender, which are loaded once, when they are first asked for. */
export class LoadedWeights<T extends Loaded> {
  readonly #device: WeightsDevice;
  readonly #make: (device: Device) => Promise<T>;
  #loading: Promise<T> | undefined;
  #loaded: T | undefined;
  #own: Device | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** `make` loads them on the device, or on what it opens; without either on a device of their own. */
  constructor(device: WeightsDevice, make: (device: Device) => Promise<T>) {
    this.#device = device;
    this.#make = make;
  }

  /** The weights; what went wrong with them goes wrong each time. */
  get(): Promise<T> {
    return this.#loading ??= this.#load();
  }

  /**
   * What `work` makes of them. Calls may overlap: one works after the other, since they share buffers; the next may begin
   * when the work is done, or calls `release` since it only waits for what the device has computed.
   */
  use<R>(work: (loaded: T, release: () => void) => Promise<R>): Promise<R> {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const turn = this.#turn.then(async () => await work(await this.get(), release));
    this.#turn = Promise.race([turn.catch(() => {}), released]);
    return turn;
  }

  /** Frees what was loaded. */
  destroy(): void {
    this.#loaded?.destroy();
    this.#own?.gpu.destroy();
    this.#loading = this.#loaded = this.#own = undefined;
  }

  async #load(): Promise<T> {
    return this.#loaded = await this.#make(await this.#open());
  }

  async #open(): Promise<Device> {
    if (this.#device === undefined) return this.#own = await Device.open();
    return typeof this.#device === "function" ? await this.#device() : this.#device;
  }
}
