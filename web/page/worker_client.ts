import type { ShopProgress } from "../training/shop_model.ts";
import type { Asks, WorkerAnswer, WorkerNews } from "../worker/messages.ts";

/** The worker of a page: questions are answered in order. */
export class WorkerClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;
  /** Told of every line of a training. */
  onProgress: (progress: ShopProgress) => void = () => {};

  /** Starts the worker whose script is at `url`. */
  constructor(url: URL) {
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer | WorkerNews>) => this.#take(data);
    this.#worker.onerror = ({ message }) => {
      const error = new Error(
        `The worker stopped: ${message || "its script did not load"}. Load the page again`,
      );
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
  }

  /** The answer to a question. Rejects with an `Error` whose message is for people. */
  ask<K extends keyof Asks>(kind: K, question: Asks[K]["ask"]): Promise<Asks[K]["answer"]> {
    const id = this.#asked++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#worker.postMessage({ id, kind, ...question });
    return waiting.promise as Promise<Asks[K]["answer"]>;
  }

  #take(message: WorkerAnswer | WorkerNews): void {
    if ("progress" in message) return this.onProgress(message.progress);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("error" in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.answer);
  }
}
