// What of the DOM the page uses. Deno's types have none, and the library `dom` would change those of everything else.

/** An element of the page. */
export interface PageElement {
  textContent: string;
  value: string;
  checked: boolean;
  innerHTML: string;
  hidden: boolean;
  readonly clientWidth: number;
  getBoundingClientRect(): { left: number; top: number; width: number; height: number };
  replaceChildren(...children: PageElement[]): void;
  append(...children: PageElement[]): void;
  remove(): void;
  setAttribute(name: string, value: string): void;
}

/** An event of the page. */
export interface PageEvent {
  readonly target: PageElement;
  /** Of the keyboard: the key's name. */
  readonly key: string;
  /** Of the pointer: its place in the window. */
  readonly clientX: number;
  readonly clientY: number;
  preventDefault(): void;
}

/** The page and its window. */
export const dom = globalThis as unknown as {
  readonly document: {
    title: string;
    readonly documentElement: PageElement;
    getElementById(id: string): PageElement;
    createElement(name: string): PageElement;
  };
  readonly location: { readonly href: string; readonly pathname: string; readonly hash: string };
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string };
  matchMedia(query: string): EventTarget;
  readonly isSecureContext: boolean;
  readonly navigator: {
    /** Absent where the browser keeps nothing, as in some private windows. */
    readonly serviceWorker?: {
      readonly controller: { postMessage(message: unknown): void } | null;
      register(url: URL): Promise<unknown>;
    };
  };
};
