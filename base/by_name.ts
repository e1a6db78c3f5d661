import { didYouMean } from "./did_you_mean.ts";
import { UserError } from "./user_error.ts";

/**
 * The member of a registry that has this name. `use` says what fails, `kind` what it is one of, as in
 * `Cannot train on task "x": there is no such task`.
 * @throws {UserError} listing all names where there is none.
 */
export function byName<M extends { readonly name: string }>(
  members: readonly M[],
  name: string,
  { use, kind }: { use: string; kind: string },
): M {
  const member = members.find((member) => member.name === name);
  if (member !== undefined) return member;
  const names = members.map((member) => member.name);
  throw new UserError(
    `Cannot ${use} ${JSON.stringify(name)}: there is no such ${kind}. Expected one of ${names.join(", ")}` +
      didYouMean(name, names),
  );
}
