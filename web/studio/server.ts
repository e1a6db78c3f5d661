const TOKEN = "genrec token";

/** An answer that says that a token is needed. */
export class TokenNeeded extends Error {}

/** Asks the server that the page came from, with the token that was given. */
export class StudioServer {
  #token = sessionStorage.getItem(TOKEN) ?? "";

  /** Keeps a token for as long as the page's tab is open. */
  set token(token: string) {
    this.#token = token;
    sessionStorage.setItem(TOKEN, token);
  }

  /** JSON of `GET /studio/PATH`. Throws an `Error` that says what to do, {@link TokenNeeded} without a known token. */
  async get<T>(path: string, query: Readonly<Record<string, string | number>> = {}): Promise<T> {
    const words = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
    const url = `/studio/${path}${words.size > 0 ? `?${words}` : ""}`;
    const headers = this.#token === "" ? undefined : { Authorization: `Bearer ${this.#token}` };
    let response: Response;
    try {
      response = await fetch(url, { headers });
    } catch {
      throw new Error("The server does not answer. See whether genrec still runs, and load the page again");
    }
    if (response.status === 401) throw new TokenNeeded("This server asks for a token");
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer as T;
    throw new Error((answer as { detail?: string }).detail ?? `The server answered ${response.status}`);
  }
}
