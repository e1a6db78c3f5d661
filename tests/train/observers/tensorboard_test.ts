import assert from "node:assert/strict";
import { eventRecord } from "../../../train/observers/event_file.ts";
import { openTensorboard } from "../../../train/observers/tensorboard.ts";
import golden from "../../golden/observers/tensorboard.json" with { type: "json" };
import { tensorboardRun } from "../../golden/observers/tensorboard_run.ts";

/** Fields of a protocol buffer message, by number; a field of bytes is left as it is. */
function fieldsOf(message: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = () => {
    let value = 0n, shift = 0n;
    for (;; shift += 7n) {
      const byte = message[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  while (at < message.length) {
    const tag = varint();
    let value: number | Uint8Array;
    if (tag % 8 === 0) value = varint();
    else if (tag % 8 === 1) value = view.getFloat64((at += 8) - 8, true);
    else if (tag % 8 === 5) value = view.getFloat32((at += 4) - 4, true);
    else {
      const length = varint();
      value = message.subarray(at, at += length);
    }
    fields.set(tag >> 3, [...fields.get(tag >> 3) ?? [], value]);
  }
  return fields;
}

/** CRC-32C by long division in GF(2), masked as TFRecord does. */
function maskedCrc(data: Uint8Array): number {
  let remainder = 0xffffffffn;
  for (const byte of data) {
    remainder ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1n ? remainder >> 1n ^ 0x82f63b78n : remainder >> 1n;
    }
  }
  const crc = remainder ^ 0xffffffffn;
  return Number(((crc >> 15n | crc << 17n & 0xffffffffn) + 0xa282ead8n) & 0xffffffffn);
}

interface Read {
  wallTime: number;
  step?: number;
  version?: string;
  start: boolean;
  values: Record<string, number>;
}

function readEvents(file: Uint8Array): Read[] {
  const text = (bytes: unknown) => new TextDecoder().decode(bytes as Uint8Array);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const events: Read[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    const data = file.subarray(at + 12, at + 12 + length);
    assert.equal(
      view.getUint32(at + 8, true),
      maskedCrc(file.subarray(at, at + 8)),
      `length of record ${at}`,
    );
    assert.equal(view.getUint32(at + 12 + length, true), maskedCrc(data), `data of record ${at}`);
    at += length + 16;
    const event = fieldsOf(data);
    const summary = event.has(5) ? fieldsOf(event.get(5)![0] as Uint8Array).get(1)! : [];
    events.push({
      wallTime: event.get(1)![0] as number,
      step: event.get(2)?.[0] as number | undefined,
      version: event.has(3) ? text(event.get(3)![0]) : undefined,
      start: event.has(7) && fieldsOf(event.get(7)![0] as Uint8Array).get(1)![0] === 1,
      values: Object.fromEntries(summary.map((value) => {
        const fields = fieldsOf(value as Uint8Array);
        return [text(fields.get(1)![0]), fields.get(2)![0] as number];
      })),
    });
  }
  return events;
}

Deno.test("eventRecord() writes the bytes that TensorBoard read a resumed run from", async () => {
  for (const [name, events] of Object.entries(tensorboardRun)) {
    const written = await new Blob(events.map(eventRecord)).bytes();
    const read = await Deno.readFile(new URL(`../../golden/observers/tensorboard/${name}`, import.meta.url));
    assert.deepEqual(written, new Uint8Array(read), name);
  }
  // What the killed part had logged after its checkpoint is gone, what both logged is there once.
  assert.deepEqual(golden.scalars["train/loss"].map(([, step, loss]) => [step, loss]), [
    [100, 4],
    [200, 3],
    [300, 2],
    [400, 1.5],
  ]);
  assert.deepEqual(golden.scalars["valid/ndcg10"].map(([, step]) => step), [200]);
});

Deno.test("openTensorboard() keeps each line at once, and a resumed run voids what came after its step", async () => {
  const directory = await Deno.makeTempDir();
  let clock = 1_700_000_000_500;
  const first = await openTensorboard({ directory, firstStep: 0 }, () => clock);
  await first.log(20, { "train/loss": 0.5, "train/gradNorm": NaN });
  await first.log(2 ** 33, { "train/loss": 0.25 });
  // Killed and resumed within a second, its last record cut.
  const folder = `${directory}/tensorboard`;
  const [{ name: killed }] = Deno.readDirSync(folder);
  await Deno.writeFile(`${folder}/${killed}`, Uint8Array.of(24, 0, 0), { append: true });
  clock += 100;
  const second = await openTensorboard({ directory, firstStep: 20 }, () => clock);
  await second.log(40, { "valid/hr10": 1 });
  await second.close();

  const [one, two] = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  assert.equal(one, killed);
  const bytes = await Deno.readFile(`${folder}/${one}`);
  const events = readEvents(bytes.subarray(0, -3));
  assert.deepEqual(events.map(({ step, version, start }) => [step, version, start]), [
    [undefined, "brain.Event:2", false],
    [20, undefined, false],
    [2 ** 33, undefined, false],
  ]);
  assert.deepEqual(events[1].values, { "train/loss": 0.5, "train/gradNorm": NaN });
  assert.equal(events[1].wallTime, 1_700_000_000.5);
  const resumed = readEvents(await Deno.readFile(`${folder}/${two}`));
  assert.deepEqual(resumed.map(({ step, start, values }) => ({ step, start, values })), [
    { step: undefined, start: false, values: {} },
    { step: 21, start: true, values: {} },
    { step: 40, start: false, values: { "valid/hr10": 1 } },
  ]);
  await Deno.remove(directory, { recursive: true });
});
