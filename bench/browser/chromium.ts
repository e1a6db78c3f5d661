// Headless Chromium, driven by the DevTools protocol: for tests of pages, their figures and their pictures.
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where browsers are looked for; CHROMIUM names another one. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** WebGPU on SwiftShader, which needs no graphics card. */
const FLAGS = [
  "--headless=new",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--remote-debugging-port=0",
  "--no-first-run",
  "--disable-background-networking",
  "--force-color-profile=srgb",
];

const START_MS = 20_000;

/** The browser of this machine, or undefined. */
export function chromiumPath(): string | undefined {
  return [Deno.env.get("CHROMIUM") ?? "", ...PLACES].find((path) => path !== "" && existsSync(path));
}

/** How to start a browser. */
export interface ChromiumOptions {
  /** Flags besides those that are always given. */
  flags?: readonly string[];
}

/** A browser with one page. Whatever the page says on its console and whatever fails in it is kept. */
export class Chromium implements AsyncDisposable {
  /** Lines of the page's console, and uncaught errors. */
  readonly console: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #socket: WebSocket;
  readonly #profile: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #sent = 0;

  private constructor(process: Deno.ChildProcess, socket: WebSocket, profile: string) {
    this.#process = process;
    this.#socket = socket;
    this.#profile = profile;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("The browser closed"));
    };
  }

  /** Starts a browser with a profile of its own. Throws where there is none, or it does not answer. */
  static async start({ flags = [] }: ChromiumOptions = {}): Promise<Chromium> {
    const path = chromiumPath();
    if (path === undefined) throw new Error(`No browser: none of ${PLACES.join(", ")} is there`);
    const profile = Deno.makeTempDirSync({ prefix: "genrec-chromium-" });
    // Its sandbox wants another user than root.
    const sandbox = Deno.uid() === 0 ? ["--no-sandbox"] : [];
    const args = [...FLAGS, ...sandbox, ...flags, `--user-data-dir=${profile}`, "about:blank"];
    const process = new Deno.Command(path, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    try {
      const browser = new Chromium(process, await connect(profile), profile);
      for (const domain of ["Page", "Runtime", "Log"]) await browser.send(`${domain}.enable`);
      return browser;
    } catch (error) {
      process.kill("SIGKILL");
      await process.status;
      Deno.removeSync(profile, { recursive: true });
      throw error;
    }
  }

  /** Sends a command of the protocol; its result. */
  send<T = unknown>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#sent;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return waiting.promise as Promise<T>;
  }

  /** Opens a page. */
  async open(url: string): Promise<void> {
    await this.send("Page.navigate", { url });
  }

  /** The value of an expression in the page, awaited; it must be JSON. Throws what it throws. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send<Evaluated<T>>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (!exceptionDetails) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  /** Waits until an expression, awaited, is true in the page. Throws with the page's text and console after `ms`. */
  async until(expression: string, ms = 30_000): Promise<void> {
    const end = performance.now() + ms;
    while (performance.now() < end) {
      // While a page loads, there may be nothing to ask.
      if (await this.evaluate<boolean>(`Promise.resolve(${expression}).then(Boolean)`).catch(() => false)) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    const text = await this.evaluate<string>("document.body?.innerText ?? ''");
    throw new Error(
      `Not true within ${ms} ms: ${expression}\nThe page says: ${text.slice(0, 1000)}\n${
        this.console.join("\n")
      }`,
    );
  }

  /** Presses a key, such as `Tab` or `Enter`. */
  async press(key: string): Promise<void> {
    const codes: Record<string, { windowsVirtualKeyCode: number; text?: string }> = {
      Tab: { windowsVirtualKeyCode: 9 },
      Enter: { windowsVirtualKeyCode: 13, text: "\r" },
      ArrowRight: { windowsVirtualKeyCode: 39 },
    };
    for (const type of ["keyDown", "keyUp"]) {
      await this.send("Input.dispatchKeyEvent", { type, key, code: key, ...codes[key] });
    }
  }

  /** Types text where the focus is. */
  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** How the page looks, as PNG. `scheme` is what the user prefers. */
  async screenshot(
    { width, height, scheme = "light", scale = 1 }: {
      width: number;
      height: number;
      scheme?: "light" | "dark";
      scale?: number;
    },
  ): Promise<Uint8Array<ArrayBuffer>> {
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: scale,
      mobile: width < 600,
    });
    await this.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    const { data } = await this.send<{ data: string }>("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    this.#process.kill("SIGTERM");
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 3000);
    await this.#process.status;
    clearTimeout(late);
    // Its helpers may still write for a moment.
    for (let tries = 0; tries < 20; tries++) {
      try {
        return Deno.removeSync(this.#profile, { recursive: true });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  #take(message: Message): void {
    if (message.id !== undefined) {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error) waiting?.reject(new Error(message.error.message));
      else waiting?.resolve(message.result);
      return;
    }
    const { method, params } = message;
    if (method === "Runtime.consoleAPICalled") {
      this.console.push(params.args.map(({ value, description }) => String(value ?? description)).join(" "));
    } else if (method === "Runtime.exceptionThrown") {
      this.console.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    } else if (method === "Log.entryAdded") {
      this.console.push(`${params.entry.text} ${params.entry.url ?? ""}`.trim());
    }
  }
}

interface Evaluated<T> {
  result: { value: T };
  exceptionDetails?: { text: string; exception?: { description?: string } };
}

type Message =
  | { id: number; result?: unknown; error?: { message: string } }
  | {
    id?: undefined;
    method: "Runtime.consoleAPICalled";
    params: { args: { value?: unknown; description?: string }[] };
  }
  | {
    id?: undefined;
    method: "Runtime.exceptionThrown";
    params: { exceptionDetails: { text: string; exception?: { description?: string } } };
  }
  | { id?: undefined; method: "Log.entryAdded"; params: { entry: { text: string; url?: string } } };

/** The page of a browser that is starting. */
async function connect(profile: string): Promise<WebSocket> {
  const end = performance.now() + START_MS;
  while (performance.now() < end) {
    try {
      const [port] = Deno.readTextFileSync(join(profile, "DevToolsActivePort")).split("\n");
      const targets: { type: string; webSocketDebuggerUrl: string }[] =
        await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
      const socket = new WebSocket(targets.find(({ type }) => type === "page")!.webSocketDebuggerUrl);
      await new Promise((resolve, reject) => (socket.onopen = resolve, socket.onerror = reject));
      return socket;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`The browser does not answer within ${START_MS} ms`);
}
