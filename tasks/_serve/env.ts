import type { Trace } from "./trace.ts";

/** What is known of a request while it is answered. */
export interface ServeEnv {
  Variables: {
    trace: Trace;
    /** Whether it came when none were taken any more. */
    isLate: boolean;
    /** Users that it asks for. */
    users?: number;
    /** Until when it is to be answered, on the clock of `performance.now()`. */
    deadline: number;
  };
}
