/** A number as a log shows it: `digits` after the point, without zeros at the end. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** A share as text, such as 12.3 %. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
