import type { ShopModel, ShopProgress } from "./shop_model.ts";

/** A model that was trained in this browser, with the lines of its training. */
export interface KeptModel extends ShopModel {
  lines: readonly ShopProgress[];
}

const STORE = "models";
const KEY = "trained here";

/** Models of a site in the database of the browser. `base` is the site's address: several may share a host. */
export class ModelStore {
  readonly #name: string;

  constructor(base: string) {
    this.#name = `genrec ${new URL(base).pathname}`;
  }

  /** The model that was kept last; undefined where there is none, or the browser keeps nothing. */
  async read(): Promise<KeptModel | undefined> {
    return await this.#use("readonly", (store) => store.get(KEY)).catch(() => undefined) as
      | KeptModel
      | undefined;
  }

  /** Keeps a model in place of the one before; false where the browser refuses. */
  async write(model: KeptModel): Promise<boolean> {
    return await this.#use("readwrite", (store) => store.put(model, KEY)).then(() => true, () => false);
  }

  async #use(mode: "readonly" | "readwrite", ask: (store: ObjectStore) => DatabaseRequest): Promise<unknown> {
    const opening = indexedDB.open(this.#name, 1);
    opening.onupgradeneeded = () => (opening.result as Database).createObjectStore(STORE);
    const database = await resultOf(opening) as Database;
    try {
      return await resultOf(ask(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  }
}

function resultOf(request: DatabaseRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// What of IndexedDB is used: Deno's types have none.
interface DatabaseRequest {
  readonly result: unknown;
  readonly error: unknown;
  onsuccess: () => void;
  onerror: () => void;
}
interface ObjectStore {
  get(key: string): DatabaseRequest;
  put(value: unknown, key: string): DatabaseRequest;
}
interface Database {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: string): { objectStore(name: string): ObjectStore };
  close(): void;
}
declare const indexedDB: {
  open(name: string, version: number): DatabaseRequest & { onupgradeneeded: () => void };
};
