// The service worker of a site: after one visit the page opens without a network. Files come from the host while it
// answers, so that a new export is seen at once; what is kept is all of one export, or nothing.
import { MODEL_FOLDER, SITE_FILE } from "../site/paths.ts";
import { sha256Of } from "../site/sha256.ts";

/** Files beside {@link SITE_FILE} and the model; "" is the page itself. */
const PAGE_FILES = ["style.css", "page.js", "worker.js", "index.html", ""];

/** What of a service worker's scope is used: Deno's types have no name for it. */
const scope = self as unknown as {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  readonly caches: {
    open(name: string): Promise<Kept>;
    keys(): Promise<string[]>;
    delete(name: string): Promise<boolean>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: WorkerEvent) => void): void;
};

interface Kept {
  match(request: Request | string, options?: { ignoreSearch: boolean }): Promise<Response | undefined>;
  put(request: string, response: Response): Promise<void>;
}

interface WorkerEvent {
  readonly request: Request;
  waitUntil(work: Promise<unknown>): void;
  respondWith(answer: Promise<Response>): void;
}

const base = scope.registration.scope;
/** Several sites may share a host. */
const PREFIX = `genrec ${base} `;
const urlOf = (path: string) => new URL(path, base).href;

scope.addEventListener("install", (event) => event.waitUntil(keep().then(() => scope.skipWaiting())));
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("message", (event) => event.waitUntil(keep()));
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(base)) return;
  event.respondWith(fetch(request).catch(async (error) => await keptFile(request) ?? Promise.reject(error)));
});

/** Keeps the site as it is now. Rejects, and keeps what was there, where its files are not those of one export. */
async function keep(): Promise<void> {
  const files = new Map<string, Bytes>();
  for (const path of [SITE_FILE, ...PAGE_FILES]) files.set(path, await fetched(path));
  const hashes = await Promise.all([...files.values()].map(sha256Of));
  const name = PREFIX + hashes.join("");
  const kept = await scope.caches.open(name);
  if (await isWhole(kept)) return;
  const site = JSON.parse(new TextDecoder().decode(files.get(SITE_FILE)));
  for (const [file, { sha256 }] of Object.entries<{ sha256: string }>(site.model.files)) {
    const path = `${MODEL_FOLDER}/${file}`, bytes = await fetched(path);
    if (await sha256Of(bytes) !== sha256) throw new Error(`${path} is not the one of ${SITE_FILE}`);
    await kept.put(urlOf(path), new Response(bytes));
  }
  // The page comes last: where it is, all is.
  for (const [path, bytes] of files) {
    await kept.put(urlOf(path), new Response(bytes, { headers: { "Content-Type": typeOf(path) } }));
  }
  for (const other of await scope.caches.keys()) {
    if (other.startsWith(PREFIX) && other !== name) await scope.caches.delete(other);
  }
}

type Bytes = Uint8Array<ArrayBuffer>;

async function fetched(path: string): Promise<Bytes> {
  const response = await fetch(urlOf(path));
  if (!response.ok) throw new Error(`${path}: the host answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

const isWhole = async (kept: Kept) => await kept.match(base) !== undefined;

async function keptFile(request: Request): Promise<Response | undefined> {
  for (const name of await scope.caches.keys()) {
    if (!name.startsWith(PREFIX)) continue;
    const kept = await scope.caches.open(name);
    if (await isWhole(kept)) return await kept.match(request, { ignoreSearch: true });
  }
}

/** Browsers run scripts and pages of the right type alone. */
function typeOf(path: string): string {
  if (path.endsWith(".js")) return "text/javascript";
  if (path.endsWith(".css")) return "text/css";
  return path.endsWith(".json") ? "application/json" : "text/html";
}
