import { crc32, crcTable } from "./crc.ts";
import { integer, join, message, text } from "./protobuf.ts";
import type { WandbLine, WandbRun } from "./wandb_run.ts";

// The log format of LevelDB, with a header of W&B's own in its first block.
const BLOCK = 32768, HEADER = 7;
const FULL = 1, FIRST = 2, MIDDLE = 3, LAST = 4;
const ZLIB = crcTable(0xedb88320);

/**
 * Bytes of a `.wandb` file, which `wandb sync` sends later: records of `wandb_internal.proto` in the log format of
 * LevelDB. Each call gives what comes next in the file.
 */
export class WandbFile {
  #at = HEADER;
  #records = 0;

  /** Its beginning: whose run this is. */
  start({ id, project, entity, name, config, startedAt }: WandbRun): Uint8Array<ArrayBuffer> {
    const header = new Uint8Array(HEADER);
    header.set(new TextEncoder().encode(":W&B"));
    new DataView(header.buffer).setUint16(4, 0xbee1, true); // then the version, 0
    const milliseconds = Math.round(1000 * startedAt);
    const run = [
      text(1, id),
      ...entity === undefined ? [] : [text(2, entity)],
      text(3, project),
      message(4, items(1, config)),
      text(8, name),
      message(17, [
        integer(1, Math.floor(milliseconds / 1000)),
        integer(2, 1e6 * (milliseconds % 1000)),
      ]),
    ];
    return join([header, this.#record(17, run)]);
  }

  /** Values of a step, and that they are the latest. */
  line({ step, values }: WandbLine): Uint8Array<ArrayBuffer> {
    const history = [...items(1, values), message(2, [integer(1, step)])];
    return join([this.#record(2, history), this.#record(3, items(1, values))]);
  }

  /** Its end after so many seconds: without it the run counts as crashed. */
  end(seconds: number): Uint8Array<ArrayBuffer> {
    return this.#record(18, [integer(1, 0), integer(2, Math.round(seconds))]);
  }

  /** A record of one kind, by its field number in `Record`. */
  #record(kind: number, fields: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    return this.#framed(join([integer(1, ++this.#records), message(kind, fields)]));
  }

  #framed(data: Uint8Array): Uint8Array<ArrayBuffer> {
    const parts: Uint8Array[] = [];
    let from = 0, isFirst = true, isLast = false;
    while (!isLast) {
      const left = BLOCK - this.#at % BLOCK;
      // What is too short for a frame is filled up.
      if (left < HEADER) {
        parts.push(new Uint8Array(left));
        this.#at += left;
        continue;
      }
      const to = Math.min(data.length, from + left - HEADER);
      isLast = to === data.length;
      parts.push(frame(isFirst ? isLast ? FULL : FIRST : isLast ? LAST : MIDDLE, data.subarray(from, to)));
      this.#at += HEADER + to - from;
      from = to;
      isFirst = false;
    }
    return join(parts);
  }
}

function frame(type: number, data: Uint8Array): Uint8Array {
  const framed = new Uint8Array(HEADER + data.length);
  framed[6] = type;
  framed.set(data, HEADER);
  const view = new DataView(framed.buffer);
  view.setUint32(0, crc32(ZLIB, framed.subarray(6)), true);
  view.setUint16(4, data.length, true);
  return framed;
}

/** Keys and JSON of their values, as records of history, summary and settings have them. */
function items(field: number, values: Readonly<Record<string, unknown>>): Uint8Array[] {
  return Object.entries(values).filter(([, value]) => value !== undefined)
    .map(([key, value]) => message(field, [text(1, key), text(16, JSON.stringify(value))]));
}
