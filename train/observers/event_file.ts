/**
 * Records of TensorBoard's event files: a TFRecord frame (length, CRC, data, CRC) around a serialised
 * `tensorflow.Event`. Only what scalars need of event.proto and summary.proto.
 */
import { crc32, crcTable } from "./crc.ts";
import { double, float, integer, join, message, text } from "./protobuf.ts";

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
  if (fileVersion !== undefined) fields.push(text(3, fileVersion));
  if (values) {
    fields.push(
      message(5, Object.entries(values).map(([tag, value]) => message(1, [text(1, tag), float(2, value)]))),
    );
  }
  const START = 1;
  if (sessionStart) fields.push(message(7, [integer(1, START)]));
  return join(fields);
}

const CASTAGNOLI = crcTable(0x82f63b78);

// Rotated and shifted as TFRecord wants it, so that a CRC of CRCs stays sound.
function maskedCrc(data: Uint8Array): number {
  const crc = crc32(CASTAGNOLI, data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
