import type { Device } from "../gpu/device.ts";
import { DeviceError } from "../gpu/device_error.ts";
import type { Flat } from "../gpu/tensor.ts";

/** Rows [first, first + rows) of a flat array of whole rows. */
export interface RowSlice {
  readonly flat: Flat;
  readonly first: number;
  readonly rows: number;
}

// Slices are tensors of their own to the bind-group cache: the same flat must always give the same ones.
const known = new WeakMap<Flat, Map<string, readonly RowSlice[]>>();

/**
 * Cuts `flat`, seen as `rows` rows of `width` elements (a multiple of 4), in as few parts as the adapter can bind. All
 * but the last part have a multiple of `step` rows. Throws {@link DeviceError} where `step` rows are too many already.
 */
export function rowSlices(
  device: Device,
  flat: Flat,
  rows: number,
  width: number,
  step = 1,
): readonly RowSlice[] {
  const limit = device.limits.maxStorageBufferBindingSize;
  const alignment = device.limits.minStorageBufferOffsetAlignment;
  const key = `${rows},${width},${step},${limit}`;
  let byKey = known.get(flat);
  if (!byKey) known.set(flat, byKey = new Map());
  const made = byKey.get(key);
  if (made) return made;

  const rowBytes = width * 4;
  let unit = step;
  while (unit * rowBytes % alignment !== 0) unit += step;
  const fitting = Math.floor(limit / rowBytes);
  const most = fitting >= rows ? rows : fitting - fitting % unit;
  if (most === 0 && rows > 0) {
    throw new DeviceError(
      `Cannot bind ${unit} rows of ${width} elements: ${
        unit * rowBytes
      } bytes, this adapter allows ${limit} a ` +
        "binding. Use a narrower model",
    );
  }
  const slices: RowSlice[] = [];
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first);
    // The last row may end in the padding of the buffer, past the flat's own length.
    const length = Math.min(count * width, flat.length - first * width);
    const whole = first === 0 && length === flat.length;
    slices.push({ flat: whole ? flat : device.slice(flat, first * width, length), first, rows: count });
  }
  byKey.set(key, slices);
  return slices;
}
