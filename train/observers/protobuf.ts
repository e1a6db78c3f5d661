// Wire types of protocol buffers, in the low three bits of a field's tag.
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;

/** A field with an integer from 0. */
export function integer(field: number, value: number): Uint8Array {
  return join([varint(field * 8 + VARINT), varint(value)]);
}

/** A field with a number in double precision. */
export function double(field: number, value: number): Uint8Array {
  return join([varint(field * 8 + FIXED64), new Uint8Array(Float64Array.of(value).buffer)]);
}

/** A field with a number in single precision. */
export function float(field: number, value: number): Uint8Array {
  return join([varint(field * 8 + FIXED32), new Uint8Array(Float32Array.of(value).buffer)]);
}

/** A field with a text. */
export function text(field: number, value: string): Uint8Array {
  const content = new TextEncoder().encode(value);
  return join([varint(field * 8 + LENGTH), varint(content.length), content]);
}

/** A field with a message of these fields. */
export function message(field: number, fields: readonly Uint8Array[]): Uint8Array {
  const length = fields.reduce((sum, part) => sum + part.length, 0);
  return join([varint(field * 8 + LENGTH), varint(length), ...fields]);
}

/** A message of its own, of these fields. */
export function join(fields: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(fields.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of fields) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function varint(value: number): Uint8Array {
  const groups: number[] = [];
  while (value >= 128) {
    groups.push(value % 128 + 128);
    value = Math.floor(value / 128);
  }
  return Uint8Array.from([...groups, value]);
}
