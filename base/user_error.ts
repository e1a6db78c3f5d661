/** Thrown for input a user can mend: the command line prints the message alone and exits with 1. */
export class UserError extends Error {
  /** Shown before the message in stack traces. */
  override name = "UserError";
}
