import { UserError } from "./user_error.ts";

/** Told of each fault that a reader can read past, by leaving out the row. */
export type OnFault = (fault: UserError) => void;

/** The first fault ends the reading: for data that will be used. */
export const failAtOnce: OnFault = (fault) => {
  throw fault;
};

/** The value of `read`, or undefined after a fault that `onFault` did not throw. */
export function orFault<T>(onFault: OnFault, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    onFault(error);
  }
}
