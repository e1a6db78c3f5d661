// What of the DOM the page uses. Deno's types have none, and the library `dom` would change those of everything else.

/** An element of the page. */
export interface PageElement {
  textContent: string;
  value: string;
  checked: boolean;
  select(): void;
  replaceChildren(): void;
}

/** An event of the page. */
export interface PageEvent {
  readonly target: PageElement;
  /** Of the keyboard: the key's name. */
  readonly key: string;
  preventDefault(): void;
}

/** The page and its window. */
export const dom = globalThis as unknown as {
  readonly document: { title: string; getElementById(id: string): PageElement };
  readonly location: { readonly href: string; readonly pathname: string };
  readonly isSecureContext: boolean;
};
