/**
 * Text of tokens that come one by one. Several tokens may spell one character, and a token may be worded otherwise after
 * others, so text is handed out up to the last character that is whole and stays as it is.
 */
export class StreamedText {
  #decode: (tokens: number[]) => string;
  #tokens: number[] = [];
  #shown = "";

  /** `decode` gives the text of tokens. */
  constructor(decode: (tokens: number[]) => string) {
    this.#decode = decode;
  }

  /** What a further token adds to what can be shown; "" while a character is not whole. */
  add(token: number): string {
    this.#tokens.push(token);
    const text = this.#decode(this.#tokens);
    return text.endsWith("\ufffd") ? "" : this.#more(text);
  }

  /** What is left at the end, characters that never became whole included. */
  rest(): string {
    return this.#more(this.#decode(this.#tokens));
  }

  #more(text: string): string {
    const more = text.slice(this.#shown.length);
    this.#shown = text;
    return more;
  }
}
