import type { Trace } from "./trace.ts";

/** What is known of a request while it is answered. */
export interface ServeEnv {
  Variables: {
    trace: Trace;
    /** Users that it asks for. */
    users?: number;
    /** Until when it is to be answered, on the clock of `performance.now()`. */
    deadline: number;
  };
}
