import { extname, join, normalize } from "node:path";

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
};

/** A host of static files on localhost, as `python3 -m http.server` is one. */
export class StaticHost implements AsyncDisposable {
  /** Address of the folder, with a slash at its end. */
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** Serves `folder` on a free port. */
  constructor(folder: string) {
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
      const path = normalize(decodeURIComponent(new URL(url).pathname)).replace(/\/$/, "/index.html");
      try {
        const body = await Deno.readFile(join(folder, path));
        return new Response(body, {
          headers: { "content-type": TYPES[extname(path)] ?? "application/octet-stream" },
        });
      } catch {
        return new Response("not found", { status: 404 });
      }
    });
    this.url = `http://localhost:${this.#server.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
