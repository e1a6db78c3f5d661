import { createHash, timingSafeEqual } from "node:crypto";
import { readText } from "../../base/files/text_file.ts";
import { UserError } from "../../base/user_error.ts";

const SHORTEST = 16;

const digest = (text: string) => createHash("sha256").update(text).digest();

/** The tokens of a file, by any of which a request is let in. */
export class Tokens {
  readonly #digests: readonly Uint8Array[];

  private constructor(tokens: readonly string[]) {
    this.#digests = tokens.map(digest);
  }

  /** Undefined without a file. Throws `UserError` for one without tokens, or with one that is easily guessed. */
  static async read(path: string): Promise<Tokens | undefined> {
    if (path === "") return undefined;
    const tokens = (await readText(path)).split("\n").map((line) => line.trim()).filter((line) =>
      line !== ""
    );
    if (tokens.length === 0) {
      throw new UserError(`Cannot use ${path} as tokens: it is empty, expected one token a line`);
    }
    const wrong = tokens.findIndex((token) => token.length < SHORTEST || /\s/.test(token));
    if (wrong >= 0) {
      throw new UserError(
        `Cannot use ${path} as tokens: token ${
          wrong + 1
        } is shorter than ${SHORTEST} characters or has blanks. ` +
          "Make one with `openssl rand -hex 32`",
      );
    }
    return new Tokens(tokens);
  }

  /** Whether a header `Authorization` bears one of the tokens. Takes as long whatever it bears. */
  admits(authorization: string | undefined): boolean {
    const borne = digest(/^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] ?? "");
    return this.#digests.map((known) => timingSafeEqual(known, borne)).includes(true);
  }
}
