/** A page and what it loads, all of it from this server: its policy forbids anything else, and scripts in the page. */
export interface ServedPage {
  /** Files by path; they hold nothing of run or data, so that they are given to anybody. */
  readonly files: Readonly<Record<string, PageFile>>;
}

/** A file of a page. */
export interface PageFile {
  type: "text/html" | "text/css" | "text/javascript";
  /** What it holds; a function where it is made when it is asked for first. */
  text: string | (() => Promise<string>);
}
