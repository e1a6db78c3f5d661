import { UserError } from "../../base/user_error.ts";

/** A server that answers. */
export interface Listening {
  /** Where it is reached. */
  url: string;
  /** Takes no more requests, and resolves when those that it took are answered or `seconds` have passed. */
  drain(seconds: number): Promise<void>;
}

/** Starts to answer. Throws `UserError` for an address that cannot be listened on. */
export function listen(
  { host, port }: { host: string; port: number },
  answer: (request: Request) => Response | Promise<Response>,
): Listening {
  const stop = new AbortController();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ hostname: host, port, signal: stop.signal, onListen: () => {} }, answer);
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
      const timer = setTimeout(() => stop.abort(), 1000 * seconds);
      await server.shutdown();
      clearTimeout(timer);
    },
  };
}
