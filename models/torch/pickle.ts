import { UserError } from "../../base/user_error.ts";

/** Something of a class or function that is not called: its name and what it was given. */
export class PickledObject {
  /** Module and name, such as `argparse.Namespace`. */
  readonly type: string;
  /** What it was made of. */
  readonly args: unknown;
  /** What was put into it. */
  state: unknown;

  /** Nothing of it is run. */
  constructor(type: string, args: unknown) {
    this.type = type;
    this.args = args;
  }
}

/** A name that a pickle refers to. */
class PickledName {
  readonly type: string;

  constructor(type: string) {
    this.type = type;
  }
}

const MARK = Symbol("mark");

/**
 * Values of a pickle of protocol 2, as far as `torch.save` writes them: dicts as maps, lists and tuples as arrays,
 * everything else as `make` says or a {@link PickledObject}. No code is run. `persistent` gives what is stored elsewhere.
 * @throws {UserError} for bytes that are none; `source` names them.
 */
export function readPickle(
  bytes: Uint8Array,
  source: string,
  persistent: (id: unknown) => unknown,
  make: (type: string, args: readonly unknown[]) => unknown = () => undefined,
): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [], memo = new Map<number, unknown>();
  let at = 0;
  const fail = (what: string): never => {
    throw new UserError(
      `Cannot read ${source}: byte ${at} of its pickle ${what}, expected what torch.save() writes. Save a state_dict again`,
    );
  };
  const take = (length: number) => {
    if (at + length > bytes.length) fail("is past its end");
    at += length;
    return at - length;
  };
  const text = (length: number) => {
    const start = take(length);
    return new TextDecoder().decode(bytes.subarray(start, start + length));
  };
  const line = () => {
    const end = bytes.indexOf(10, at);
    if (end < 0) fail("is past its end");
    const value = text(end - at);
    at++;
    return value;
  };
  const pop = () => stack.length > 0 ? stack.pop() : fail("takes what is not there");
  const sinceMark = () => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) fail("has no mark");
    return stack.splice(mark).slice(1);
  };
  const put = (values: unknown[]) => {
    const target = stack.at(-1);
    if (target instanceof Map) {
      for (let i = 0; i + 1 < values.length; i += 2) target.set(values[i], values[i + 1]);
    } else if (!(target instanceof PickledObject)) fail("fills no dict");
  };
  const append = (values: unknown[]) => {
    const target = stack.at(-1);
    if (Array.isArray(target)) { for (const value of values) target.push(value); }
    else if (!(target instanceof PickledObject)) fail("fills no list");
  };
  const call = (args: unknown, name: unknown) => {
    if (!(name instanceof PickledName) || !Array.isArray(args)) return fail("calls what has no name");
    return make(name.type, args) ?? new PickledObject(name.type, args);
  };
  for (;;) {
    const code = bytes[take(1)];
    switch (String.fromCharCode(code)) {
      case "\x80":
        take(1);
        break;
      case "}":
        stack.push(new Map());
        break;
      case "]":
        stack.push([]);
        break;
      case ")":
        stack.push([]);
        break;
      case "(":
        stack.push(MARK);
        break;
      case "N":
        stack.push(null);
        break;
      case "\x88":
      case "\x89":
        stack.push(code === 0x88);
        break;
      case "J":
        stack.push(view.getInt32(take(4), true));
        break;
      case "K":
        stack.push(bytes[take(1)]);
        break;
      case "M":
        stack.push(view.getUint16(take(2), true));
        break;
      case "\x8a": {
        const length = bytes[take(1)], start = take(length);
        let value = 0n;
        for (let i = length - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[start + i]);
        stack.push(Number(BigInt.asIntN(8 * Math.max(1, length), value)));
        break;
      }
      case "G":
        stack.push(view.getFloat64(take(8)));
        break;
      case "X":
        stack.push(text(view.getUint32(take(4), true)));
        break;
      case "U":
        stack.push(text(bytes[take(1)]));
        break;
      case "c":
        stack.push(new PickledName(`${line()}.${line()}`));
        break;
      case "Q":
        stack.push(persistent(pop()));
        break;
      case "q":
        memo.set(bytes[take(1)], stack.at(-1));
        break;
      case "r":
        memo.set(view.getUint32(take(4), true), stack.at(-1));
        break;
      case "h":
        stack.push(memo.get(bytes[take(1)]));
        break;
      case "j":
        stack.push(memo.get(view.getUint32(take(4), true)));
        break;
      case "t":
        stack.push(sinceMark());
        break;
      case "\x85":
      case "\x86":
      case "\x87": {
        const length = code - 0x84;
        if (stack.length < length) fail("takes what is not there");
        stack.push(stack.splice(stack.length - length));
        break;
      }
      case "s": {
        const value = pop();
        put([pop(), value]);
        break;
      }
      case "u":
        put(sinceMark());
        break;
      case "a":
        append([pop()]);
        break;
      case "e":
        append(sinceMark());
        break;
      case "R":
      case "\x81":
        stack.push(call(pop(), pop()));
        break;
      case "b": {
        const state = pop(), target = stack.at(-1);
        if (target instanceof PickledObject) target.state = state;
        break;
      }
      case ".":
        return pop();
      default:
        at--;
        return fail(`is operation ${code}`);
    }
  }
}
