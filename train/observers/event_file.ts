/**
 * Records of TensorBoard's event files: a TFRecord frame (length, CRC, data, CRC) around a serialised
 * `tensorflow.Event`. Only what scalars need of event.proto and summary.proto.
 */

/** One event of a file. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  wallTime: number;
  step?: number;
  /** First event of every file. */
  fileVersion?: string;
  /** Says that a run starts at `step`: readers drop what earlier files of the folder hold from there on. */
  sessionStart?: boolean;
  /** Values of the step, by tag. */
  values?: Record<string, number>;
}

/** The framed bytes of an event. */
export function eventRecord(event: ScalarEvent): Uint8Array<ArrayBuffer> {
  const data = encodeEvent(event);
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

// Field numbers of event.proto and summary.proto.
function encodeEvent({ wallTime, step, fileVersion, sessionStart, values }: ScalarEvent): Uint8Array {
  const fields = [double(1, wallTime)];
  if (step !== undefined) fields.push(integer(2, step));
  if (fileVersion !== undefined) fields.push(bytes(3, utf8(fileVersion)));
  if (values) {
    const summary = Object.entries(values).map(([tag, value]) =>
      bytes(1, join([bytes(1, utf8(tag)), float(2, value)]))
    );
    fields.push(bytes(5, join(summary)));
  }
  const START = 1;
  if (sessionStart) fields.push(bytes(7, integer(1, START)));
  return join(fields);
}

// Wire types of protocol buffers, in the low three bits of a field's tag.
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;

function integer(field: number, value: number): Uint8Array {
  return join([varint(field * 8 + VARINT), varint(value)]);
}

function double(field: number, value: number): Uint8Array {
  return join([varint(field * 8 + FIXED64), new Uint8Array(Float64Array.of(value).buffer)]);
}

function float(field: number, value: number): Uint8Array {
  return join([varint(field * 8 + FIXED32), new Uint8Array(Float32Array.of(value).buffer)]);
}

function bytes(field: number, content: Uint8Array): Uint8Array {
  return join([varint(field * 8 + LENGTH), varint(content.length), content]);
}

function varint(value: number): Uint8Array {
  const groups: number[] = [];
  while (value >= 128) {
    groups.push(value % 128 + 128);
    value = Math.floor(value / 128);
  }
  return Uint8Array.from([...groups, value]);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// CRC-32C (Castagnoli), reflected; rotated and shifted as TFRecord wants it, so that a CRC of CRCs stays sound.
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

function maskedCrc(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
