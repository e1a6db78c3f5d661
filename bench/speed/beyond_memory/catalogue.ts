import { writeNpy } from "../../../base/npy.ts";
import { PhiloxStream } from "../../../base/philox.ts";

/** Clusters that vectors lie around, in two levels: as many as an index of three levels would like to tell apart. */
const CLUSTERS = 512;
const AT_A_TIME = 4096;
/** Bytes of a file before its header in words. */
const MAGIC = 10;

/** Writes a `.npy` file of so many vectors around the sums of two centres, a block at a time. */
export async function writeVectors(path: string, rows: number, dim: number, seed: number): Promise<void> {
  const random = new PhiloxStream(seed, "bench vectors");
  const centres = [2, 1].map((size) =>
    Float32Array.from({ length: CLUSTERS * dim }, () => size * random.normal())
  );
  using file = await Deno.open(`${path}.tmp`, { write: true, create: true, truncate: true });
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  };
  await write(headOf(rows, dim));
  for (let first = 0; first < rows; first += AT_A_TIME) {
    const count = Math.min(AT_A_TIME, rows - first);
    const block = new Float32Array(count * dim);
    for (let row = 0; row < count; row++) {
      const [a, b] = [0, 1].map(() => random.below(CLUSTERS) * dim);
      for (let d = 0; d < dim; d++) {
        // Uniform noise of the variance .25: a normal number costs more than all else here.
        block[row * dim + d] = centres[0][a + d] + centres[1][b + d] +
          (random.uniform() - 0.5) * Math.sqrt(3);
      }
    }
    await write(new Uint8Array(block.buffer));
  }
  await Deno.rename(`${path}.tmp`, path);
}

/** The bytes before the first value: those of a matrix of one row, with another number of rows. */
function headOf(rows: number, dim: number): Uint8Array {
  const one = writeNpy([1, dim], new Float32Array(dim));
  const head = one.slice(0, one.length - 4 * dim);
  const text = new TextDecoder().decode(head.subarray(MAGIC)).replace(`(1, ${dim})`, `(${rows}, ${dim})`);
  // The header keeps its length: what the number of rows takes more is spaces less.
  const padded = text.trimEnd().padEnd(head.length - MAGIC - 1) + "\n";
  head.set(new TextEncoder().encode(padded), MAGIC);
  return head;
}
