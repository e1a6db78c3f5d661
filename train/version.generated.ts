// Generated from deno.json by `deno task codegen`: change that, not this file.

/** Version of genrec. */
export const VERSION: string = "0.1.0";
