import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Dialogue, Recommended } from "../_recommend/answer.ts";
import { Batcher } from "./batcher.ts";
import type { JsonLog } from "./json_log.ts";
import { Counter, Gauge, Histogram, prometheusText } from "./metrics.ts";
import { OpenedRun, type ServedRunFlags } from "./opened_run.ts";
import type { Limits, ServerSettings } from "./settings.ts";
import { Tokens } from "./tokens.ts";

/** Settings of a server and of the run that it serves. */
export type ServeSettings = ServerSettings & Limits & ServedRunFlags;

const SECONDS = [.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10];
const SIZES = [1, 2, 4, 8, 16, 32, 64];

/** What stays while runs come and go: the queue, the device, who may ask, and what is counted. */
export class Service {
  readonly settings: ServeSettings;
  readonly log: JsonLog;
  readonly batcher: Batcher<Dialogue, Recommended>;
  readonly requests = new Counter("genrec_requests_total", "Requests by route, method and status.");
  readonly seconds = new Histogram(
    "genrec_request_seconds",
    "Seconds from a request to its answer.",
    SECONDS,
  );
  readonly #users = new Counter("genrec_users_total", "Users that were recommended to.");
  readonly #batchSizes = new Histogram("genrec_batch_users", "Users that were searched together.", SIZES);
  readonly #batchSeconds = new Histogram("genrec_batch_seconds", "Seconds of a search.", SECONDS);
  readonly #reloads = new Counter("genrec_reloads_total", "Reloads by result.");
  /** Opens the device, once. */
  readonly device: () => Promise<Device>;
  #current: OpenedRun | undefined;
  #tokens: Tokens | undefined;
  #isReloading = false;
  #isLoaded = false;
  /** Whether it is to end: nobody should send requests any more. */
  isDraining = false;
  /** Whether no requests are taken any more. */
  isClosed = false;

  readonly #lines = { log: (line: string) => this.log.write("info", line) };

  private constructor(settings: ServeSettings, log: JsonLog, device: () => Promise<Device>) {
    this.settings = settings;
    this.log = log;
    this.device = device;
    this.batcher = new Batcher({
      maxWaiting: settings.maxQueue,
      onBatch: (size, seconds) => {
        this.#users.add({}, size);
        this.#batchSizes.observe(size);
        this.#batchSeconds.observe(seconds);
      },
    });
  }

  /** Opens the run, all but its weights. Throws `UserError` for what cannot be served. */
  static async open(
    settings: ServeSettings,
    log: JsonLog,
    device: () => Promise<Device>,
  ): Promise<Service> {
    let opened: Promise<Device> | undefined;
    const service = new Service(settings, log, () => opened ??= device());
    service.#tokens = await Tokens.read(settings.tokenFile);
    service.#current = await service.#open();
    return service;
  }

  /** Loads the weights; from then on it {@link isLoaded}. Throws for what is damaged. */
  async load(): Promise<void> {
    await this.batcher.inTurn(() => this.#current!.load(this.#lines));
    this.#isLoaded = true;
  }

  /** Whether it can recommend. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether requests should be sent to it. */
  get isReady(): boolean {
    return this.#isLoaded && !this.isDraining;
  }

  /** Who may ask; undefined: anybody. */
  get tokens(): Tokens | undefined {
    return this.#tokens;
  }

  /** What `use` makes of the run that is served now, which stays until that is done. */
  async withRun<T>(use: (run: OpenedRun) => Promise<T>): Promise<T> {
    const run = this.#current!;
    run.uses++;
    try {
      return await use(run);
    } finally {
      run.uses--;
      this.#freeUnused(run);
    }
  }

  /**
   * Reads tokens, run and dataset again and serves them from the next request on; those before are answered by the run
   * that was there. Throws, and leaves all as it was, for what cannot be served and while another reload goes on.
   */
  async reload(): Promise<OpenedRun> {
    if (this.#isReloading || !this.#isLoaded) {
      this.log.write("warning", "reload refused, a run is being loaded already");
      throw new UserError("Cannot reload: a run is being loaded already. Try again when it is served");
    }
    this.#isReloading = true;
    let next: OpenedRun | undefined;
    try {
      const tokens = await Tokens.read(this.settings.tokenFile);
      const opened = next = await this.#open();
      await this.batcher.inTurn(() => opened.load(this.#lines));
      const before = this.#current!;
      this.#current = opened;
      this.#tokens = tokens;
      this.#freeUnused(before);
      this.#reloads.add({ result: "done" });
      const { checkpoint } = opened.recommender.provenance;
      this.log.write("info", "reloaded", { run: opened.name, checkpoint });
      return opened;
    } catch (error) {
      await this.batcher.inTurn(() => Promise.resolve(next?.destroy()));
      this.#reloads.add({ result: "failed" });
      this.log.write("error", "reload failed, the run from before is served", {
        error: error instanceof UserError ? error.message : String((error as Error).stack),
      });
      throw error;
    } finally {
      this.#isReloading = false;
    }
  }

  /** Everything that is counted, as Prometheus reads it. */
  metricsText(): string {
    const { name, recommender: { provenance: { checkpoint, model } } } = this.#current!;
    return prometheusText([
      this.requests,
      this.seconds,
      this.#users,
      this.#batchSizes,
      this.#batchSeconds,
      this.#reloads,
      new Gauge("genrec_waiting_users", "Users that wait for a search.", () => [[this.batcher.waiting, {}]]),
      new Gauge("genrec_ready", "Whether requests are answered.", () => [[Number(this.isReady), {}]]),
      new Gauge("genrec_run_info", "The run that is served.", () => [[1, { run: name, checkpoint, model }]]),
      new Gauge("process_resident_memory_bytes", "Memory of the process.", () => [[
        Deno.memoryUsage().rss,
        {},
      ]]),
      new Gauge("process_start_time_seconds", "Start of the process.", () => [[
        performance.timeOrigin / 1000,
        {},
      ]]),
    ]);
  }

  #open(): Promise<OpenedRun> {
    return OpenedRun.open(this.settings, this.device);
  }

  /** Gives back what a run that is served no more holds on the device, after its last request. */
  #freeUnused(run: OpenedRun): void {
    if (run === this.#current || run.uses > 0) return;
    this.batcher.inTurn(() => Promise.resolve(run.destroy())).catch((error) =>
      this.log.write("error", "cannot free a run", { error: String(error) })
    );
  }
}
