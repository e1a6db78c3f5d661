/** A number as a log shows it: `digits` after the point, without zeros at the end. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
