// Writes what `torch.save` writes for a dict of float32 tensors under `state_dict`, beside arguments that are a Namespace.
const text = new TextEncoder();

/** Bytes of a zip file whose entries are stored as they are. */
export function storedZip(entries: Record<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [], directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(entries)) {
    const label = text.encode(name);
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint32(22, bytes.length, true);
    local.setUint16(26, label.length, true);
    const central = new DataView(new ArrayBuffer(46));
    central.setUint32(0, 0x02014b50, true);
    central.setUint32(24, bytes.length, true);
    central.setUint16(28, label.length, true);
    central.setUint32(42, at, true);
    directory.push(new Uint8Array(central.buffer), label);
    for (const part of [new Uint8Array(local.buffer), label, bytes]) {
      parts.push(part);
      at += part.length;
    }
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, Object.keys(entries).length, true);
  end.setUint32(16, at, true);
  return joined([...parts, ...directory, new Uint8Array(end.buffer)]);
}

/** A checkpoint with tensors of these shapes and values. */
export function torchFile(tensors: Record<string, { shape: number[]; data: number[] }>): Uint8Array {
  const entries: Record<string, Uint8Array> = {};
  const string = (value: string) => {
    const bytes = text.encode(value);
    return [0x58, bytes.length, 0, 0, 0, ...bytes];
  };
  const name = (module: string, of: string) => [...text.encode(`c${module}\n${of}\n`)];
  const int = (value: number) => [0x4a, value & 255, value >> 8, 0, 0];
  const tuple = (values: number[]) => [0x28, ...values.flatMap(int), 0x74];
  const states = Object.entries(tensors).flatMap(([key, { shape, data }], i) => {
    entries[`archive/data/${i}`] = new Uint8Array(Float32Array.from(data).buffer);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    return [
      ...string(key),
      ...name("torch._utils", "_rebuild_tensor_v2"),
      ...[0x28, 0x28, ...string("storage"), ...name("torch", "FloatStorage"), ...string(String(i))],
      ...[...string("cpu"), ...int(data.length), 0x74, 0x51],
      ...[...int(0), ...tuple(shape), ...tuple(strides), 0x89],
      ...[...name("collections", "OrderedDict"), 0x29, 0x52, 0x74, 0x52],
    ];
  });
  const pickle = [
    ...[0x80, 2, 0x7d, 0x71, 0, 0x28],
    ...string("args"),
    ...[...name("argparse", "Namespace"), 0x29, 0x81, 0x7d, 0x28, ...string("e_dim"), ...int(2), 0x75, 0x62],
    ...string("state_dict"),
    ...[...name("collections", "OrderedDict"), 0x29, 0x52, 0x28, ...states, 0x75],
    ...[0x75, 0x2e],
  ];
  return storedZip({ "archive/data.pkl": Uint8Array.from(pickle), ...entries });
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
