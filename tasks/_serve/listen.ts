import { UserError } from "../../base/user_error.ts";

/** How long the last bytes may take. */
const LAST_MS = 500;

/** A server that answers. */
export interface Listening {
  /** Where it is reached. */
  url: string;
  /** Resolves when the requests that came before are answered, or `seconds` have passed; nobody is answered after. */
  drain(seconds: number): Promise<void>;
}

/** Starts to answer. Throws `UserError` for an address that cannot be listened on. */
export function listen(
  { host, port }: { host: string; port: number },
  answer: (request: Request) => Response | Promise<Response>,
): Listening {
  const stop = new AbortController();
  /** Requests that were taken and are not answered to the last byte. */
  const open = new Set<Promise<void>>();
  let isDraining = false;
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve(
      { hostname: host, port, signal: stop.signal, onListen: () => {} },
      (request, { completed }) => {
        const answered = completed.catch(() => {}); // who hung up wants no answer
        if (!isDraining) open.add(answered);
        answered.then(() => open.delete(answered));
        return answer(request);
      },
    );
  } catch (error) {
    throw new UserError(
      `Cannot listen on ${host}, port ${port}: ${(error as Error).message}. Name another --host or --port`,
    );
  }
  const { addr } = server;
  const name = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  return {
    url: `http://${name}:${addr.port}`,
    async drain(seconds) {
      isDraining = true;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise((resume) => timer = setTimeout(resume, 1000 * seconds));
      // Only then: shutdown() takes away bodies that are on their way.
      await Promise.race([Promise.all(open), late]);
      clearTimeout(timer);
      // It waits for who began a request and sends no more.
      timer = setTimeout(() => stop.abort(), LAST_MS);
      await server.shutdown();
      clearTimeout(timer);
    },
  };
}
