/** The number of an id, counted from 0 in order of first appearance; a new id is added to `numbers`. */
export function numberOf(numbers: Map<string, number>, id: string): number {
  let number = numbers.get(id);
  if (number === undefined) numbers.set(id, number = numbers.size);
  return number;
}
