import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Dataset } from "../../../data/dataset.ts";
import type { RewardGroup } from "../rewards/reward.ts";
import source from "./worker.js" with { type: "text" };

/** How a module is run. */
export interface UserModuleOptions {
  /** Seconds without any answer after which it is given up. */
  timeout: number;
  /** Gets what it warns of. */
  warn(message: string): void;
}

/** What a reward may read besides the group. */
export interface UserContext {
  dataset: Dataset;
  itemTokens: readonly Uint32Array[];
  texts?: readonly (readonly Uint32Array[])[];
}

/** What was thrown in the module. */
interface Told {
  message: string;
  stack: string;
}

type Reply =
  | { id: number; value: unknown }
  | { id: number; failed: Told }
  | { failed: Told }
  | { exit: number }
  | { warn: string };

interface Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** What a loaded module exports. */
export type Exported = { levels: boolean } | { unusable: string };

/**
 * A user's module with a reward, in a worker: it gets copies, an endless loop in it ends at a deadline, and so does
 * `Deno.exit`. After either, or an error outside its functions, every call fails with that.
 */
export class UserModule {
  readonly #path: string;
  readonly #url: string;
  readonly #timeout: number;
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  #count = 0;
  #ended: Error | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, { timeout, warn }: UserModuleOptions) {
    this.#path = path;
    this.#url = pathToFileURL(resolve(path)).href;
    this.#timeout = timeout;
    const code = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.#worker = new Worker(code, { type: "module", name: path });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if ("warn" in data) warn(data.warn);
      else if ("exit" in data) {
        this.#end(
          new Error(
            `it called Deno.exit(${data.exit}), which would end the training. Throw an error instead`,
          ),
        );
      } else if ("id" in data) this.#settle(data);
      else this.#end(this.#error(data.failed));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(event.message));
    };
  }

  /** Loads the file, which gets a copy of the context; what it exports. Throws what it throws. */
  async load({ dataset, itemTokens, texts = [] }: UserContext): Promise<Exported> {
    // Views of a long buffer would be copied with all of it.
    const copied = (lists: readonly Uint32Array[]) => lists.map((tokens) => tokens.slice());
    const context = { dataset, itemTokens: copied(itemTokens), texts: texts.map(copied) };
    return await this.#call("load", { url: this.#url, context }) as Exported;
  }

  /** What its function returns for a group. Throws what it throws, with the line. */
  score(work: "score" | "scoreLevels", group: RewardGroup): Promise<unknown> {
    return this.#call(work, group);
  }

  /** Ends the worker. */
  close(): void {
    this.#end(new Error("it was closed"));
  }

  #call(work: string, input: unknown): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#count++;
    const result = new Promise<unknown>((resolve, reject) => this.#calls.set(id, { resolve, reject }));
    this.#worker.postMessage({ id, work, input });
    if (this.#timer === undefined) this.#await();
    return result;
  }

  #settle(reply: { id: number } & ({ value: unknown } | { failed: Told })): void {
    const call = this.#calls.get(reply.id);
    this.#calls.delete(reply.id);
    if ("failed" in reply) call?.reject(this.#error(reply.failed));
    else call?.resolve(reply.value);
    this.#await();
  }

  /** Waits for the next answer from now on, if there is any to come. */
  #await(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#calls.size === 0 || this.#ended || this.#timeout === 0) return;
    this.#timer = setTimeout(() => {
      this.#end(
        new Error(
          `it has not answered for ${this.#timeout} s: an endless loop, or something that it waits for. Mend it, or ` +
            "wait longer with --reward-timeout SECONDS",
        ),
      );
    }, 1000 * this.#timeout);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#worker.terminate();
    clearTimeout(this.#timer);
    for (const call of this.#calls.values()) call.reject(this.#ended);
    this.#calls.clear();
  }

  #error({ message, stack }: Told): Error {
    const place = this.#placeIn(stack);
    return new Error(place === undefined || message.includes(place) ? message : `${message}, at ${place}`);
  }

  /** Where in the user's code it was: `mine.ts:3:7`, or a file that it imports. */
  #placeIn(stack: string): string | undefined {
    for (const [, url, spot] of stack.matchAll(/(file:\/\/\S+?):(\d+:\d+)/g)) {
      return `${url === this.#url ? this.#path : fileURLToPath(url)}:${spot}`;
    }
  }
}
