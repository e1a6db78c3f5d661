/** `494 M`, three digits of a number. */
export function short(value: number): string {
  return value.toLocaleString("en-US", { notation: "compact", maximumSignificantDigits: 3 });
}

/** A share or a metric to four digits. */
export const figure = (value: number) => value.toFixed(4);
/** Ends of an interval. */
export const range = (interval: readonly number[]) => interval.map(figure).join("-");

/** A path as a POSIX shell takes it. */
export function quoted(path: string): string {
  return /^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
