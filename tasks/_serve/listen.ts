import { UserError } from "../../base/user_error.ts";

/** How long the last bytes may take. */
const LAST_MS = 500;

/** A server that answers. */
export interface Listening {
  /** Where it is reached. */
  url: string;
  /** Resolves when the requests that came before are answered, or `seconds` have passed; takes no connection after. */
  drain(seconds: number): Promise<void>;
}

/** Starts to answer. Throws `UserError` for an address that cannot be listened on. */
export function listen(
  { host, port }: { host: string; port: number },
  answer: (request: Request) => Response | Promise<Response>,
): Listening {
  /** Requests that were taken and are not answered yet. */
  const open = new Set<Promise<void>>();
  let isDraining = false;
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve(
      { hostname: host, port, onListen: () => {} },
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
      await Promise.race([Promise.all(open), late]);
      clearTimeout(timer);
      // It writes what is left of the answers, and would wait for who began a request and sends no more. Not aborted then:
      // Deno 2.9 throws "Bad resource ID".
      const last = new Promise<void>((resume) => timer = setTimeout(resume, LAST_MS));
      await Promise.race([server.shutdown(), last]);
      clearTimeout(timer);
    },
  };
}
