/** Protocol-buffer fields of one message: number and value. */
type Field = [number, number | string | Uint8Array];

const FLOAT = 1;
const INT_ATTRIBUTE = 2;
const IR_VERSION = 10;
const OPERATORS = 23;

export interface OnnxNode {
  operator: string;
  inputs: { name: string; shape: number[] }[];
  output: { name: string; shape: number[] };
  /** Integer attributes. */
  attributes?: Record<string, number>;
}

/** Bytes of an ONNX model of one float32 operator. Field numbers: onnx.proto of ONNX. */
export function onnxModel({ operator, inputs, output, attributes = {} }: OnnxNode): Uint8Array {
  const node = message(
    ...inputs.map(({ name }): Field => [1, name]),
    [2, output.name],
    [4, operator],
    ...Object.entries(attributes).map(([name, value]): Field => [
      5,
      message([1, name], [3, value], [20, INT_ATTRIBUTE]),
    ]),
  );
  const graph = message(
    [1, node],
    [2, operator],
    ...inputs.map((input): Field => [11, valueInfo(input)]),
    [12, valueInfo(output)],
  );
  return message([1, IR_VERSION], [8, message([1, ""], [2, OPERATORS])], [7, graph]);
}

function valueInfo({ name, shape }: { name: string; shape: number[] }): Uint8Array {
  const dimensions = message(...shape.map((size): Field => [1, message([1, size])]));
  return message([1, name], [2, message([1, message([1, FLOAT], [2, dimensions])])]);
}

function message(...fields: Field[]): Uint8Array {
  const bytes: number[] = [];
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      bytes.push(...varint(number * 8), ...varint(value));
      continue;
    }
    const content = typeof value === "string" ? new TextEncoder().encode(value) : value;
    bytes.push(...varint(number * 8 + 2), ...varint(content.length), ...content);
  }
  return Uint8Array.from(bytes);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return [...bytes, value];
}
