// Sends requests made from the OpenAPI description to a server on a tiny run, right and wrong ones, so many:
//     deno run -A tests/robustness/requests.ts 5000
import { parseArgs } from "node:util";
import { type TinyService, tinyService } from "../tasks/_serve/tiny_service.ts";
import fc from "../property.ts";

/** As much of JSON Schema as the description uses. */
interface Schema {
  $ref?: string;
  type?: string;
  anyOf?: Schema[];
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
}

/** One operation of the description. */
interface Operation {
  parameters?: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** A request, and what the description says of its answers. */
interface Trial {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  operation: Operation;
}

/** An answer that should not have been. */
export interface WrongAnswer {
  trial: Pick<Trial, "method" | "path" | "body">;
  status: number;
  problem: string;
}

const JSON_TYPE = "application/json";

/** Sends so many requests, a few at a time; those that were not answered as described, and how many had each status. */
export async function fuzzRequests(
  { ask }: Pick<TinyService, "ask">,
  count: number,
): Promise<{ wrong: WrongAnswer[]; statuses: Map<number, number> }> {
  const description: Description = (await ask("/openapi.json")).body;
  const trials = fc.sample(trialsOf(description), count);
  const wrong: WrongAnswer[] = [], statuses = new Map<number, number>();
  const one = async (trial: Trial) => {
    const { method, path, headers, body } = trial;
    const answer = await ask(path, undefined, { method, headers, ...body !== undefined && { body } });
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const problem = problemOf(description, trial, answer);
    if (problem) wrong.push({ trial: { method, path, body }, status: answer.status, problem });
  };
  for (let start = 0; start < count; start += 8) await Promise.all(trials.slice(start, start + 8).map(one));
  return { wrong, statuses };
}

function problemOf(
  { components: { schemas } }: Description,
  { operation }: Trial,
  { status, body, headers }: Awaited<ReturnType<TinyService["ask"]>>,
): string | undefined {
  const text = JSON.stringify(body);
  if (/\bat .{0,200}\.(ts|js):\d+|file:\/\/|node_modules/.test(text)) return `a stack: ${text}`;
  if (status === 500) return `500: ${text}`;
  const [type] = (headers.get("Content-Type") ?? "").split(";");
  // Of methods and paths that are in no description.
  const described = operation.responses[status] ??
    (status === 404 || status === 405 ? { content: { "application/problem+json": {} } } : undefined);
  if (!described) return `status ${status} is not described: ${text}`;
  if (!(type in (described.content ?? {}))) return `type ${type} is not described for ${status}`;
  const fault = faultOf(schemas, described.content![type].schema ?? {}, body, "body");
  return fault && `${fault}: ${text}`;
}

/** Where a value is not what a schema says. */
function faultOf(
  schemas: Record<string, Schema>,
  schema: Schema,
  value: unknown,
  place: string,
): string | undefined {
  if (schema.$ref) return faultOf(schemas, schemas[schema.$ref.split("/").at(-1)!], value, place);
  if (schema.anyOf) {
    const faults = schema.anyOf.map((one) => faultOf(schemas, one, value, place));
    return faults.every((fault) => fault !== undefined) ? faults[0] : undefined;
  }
  if (schema.enum && !schema.enum.includes(value)) return `${place} is none of ${schema.enum}`;
  const type = Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
  if (schema.type && type !== schema.type && !(schema.type === "number" && type === "integer")) {
    return `${place} is of type ${type}, described as ${schema.type}`;
  }
  if (Array.isArray(value)) {
    return value.map((one, i) => faultOf(schemas, schema.items ?? {}, one, `${place}[${i}]`)).find(Boolean);
  }
  if (typeof value !== "object" || value === null) return;
  const missing = schema.required?.find((name) => !(name in value));
  if (missing) return `${place} lacks ${missing}`;
  return Object.entries(value).map(([name, one]) =>
    schema.properties && !(name in schema.properties)
      ? `${place} has ${name}, which is not described`
      : faultOf(schemas, schema.properties?.[name] ?? {}, one, `${place}.${name}`)
  ).find(Boolean);
}

function trialsOf({ paths, components: { schemas } }: Description): fc.Arbitrary<Trial> {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation }))
  );
  return fc.oneof(...operations.map(({ path, method, operation }) => {
    const { parameters = [], requestBody } = operation;
    const schema = requestBody?.content[JSON_TYPE].schema;
    return {
      weight: schema ? 12 : parameters.length > 0 ? 4 : 1,
      arbitrary: fc.record({
        values: fc.tuple(...parameters.map((one) => mostly(valueOf(schemas, one.schema), fc.string()))),
        body: schema ? bodyOf(schemas, schema) : fc.constant(undefined),
        type: mostly(fc.constant(JSON_TYPE), fc.constantFrom("", "text/plain", "application/xml")),
        method: mostly(fc.constant(method), fc.constantFrom("GET", "PUT", "DELETE", "PATCH", "POST")),
        traceparent: fc.option(fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{1,32}-[0-9a-f]{1,16}-..$/), {
          nil: undefined,
        }),
      }).map(({ values, body, type, method, traceparent }) => ({
        method,
        path: pathOf(path, parameters, values),
        headers: {
          ...(body !== undefined && type !== "" && { "Content-Type": type }),
          ...(traceparent !== undefined && /^[\x20-\x7e]*$/.test(traceparent) && { traceparent }),
        },
        ...(body !== undefined && method !== "GET" && { body }),
        operation,
      })),
    };
  }));
}

function pathOf(path: string, parameters: NonNullable<Operation["parameters"]>, values: unknown[]): string {
  const query = new URLSearchParams();
  const filled = parameters.reduce((filled, { name, in: where }, i) => {
    const text = typeof values[i] === "object" ? JSON.stringify(values[i]) : String(values[i]);
    if (where === "query") query.set(name, text);
    return filled.replace(`{${name}}`, () => encodeURIComponent(text.toWellFormed()));
  }, path);
  return filled + (query.size > 0 ? `?${query}` : "");
}

/** What is right, but for a few. */
function mostly<A, B>(right: fc.Arbitrary<A>, wrong: fc.Arbitrary<B>): fc.Arbitrary<A | B> {
  return fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: wrong });
}

/** Bodies: JSON that fits, or does not here and there, and what is cut off or no JSON at all. */
function bodyOf(schemas: Record<string, Schema>, schema: Schema): fc.Arbitrary<string> {
  const json = valueOf(schemas, schema).map((value) => JSON.stringify(value) ?? "");
  const cut = fc.tuple(json, fc.nat(40)).map(([text, end]) => text.slice(0, end));
  return fc.oneof({ weight: 16, arbitrary: json }, { weight: 1, arbitrary: cut }, {
    weight: 1,
    arbitrary: fc.string(),
  });
}

/** Values of a schema, now and then with something else in them. */
function valueOf(schemas: Record<string, Schema>, schema: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref) return valueOf(schemas, schemas[schema.$ref.split("/").at(-1)!]);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => valueOf(schemas, one)));
  const wrong = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(-1, 1e308, "__proto__", "<script>", "\0", "id:", "\ud800"),
  );
  return fc.oneof({ weight: 24, arbitrary: right(schemas, schema) }, { weight: 1, arbitrary: wrong });
}

function right(schemas: Record<string, Schema>, schema: Schema): fc.Arbitrary<unknown> {
  const { type, minimum = 0, maximum = 2 ** 31, minItems = 0, maxItems = 4 } = schema;
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (type) {
    case "integer":
      // Small ones are those of items, which others are not.
      return fc.oneof(
        fc.integer({ min: minimum, max: Math.min(maximum, 5) }),
        fc.integer({ min: minimum, max: maximum }),
      );
    case "number":
      return fc.double({ min: .001, max: Math.min(maximum, 1e6), noNaN: true });
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(valueOf(schemas, schema.items ?? {}), {
        minLength: minItems,
        maxLength: Math.min(maxItems, 4),
      });
    case "object":
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([name, one]) => [name, valueOf(schemas, one)]),
        ),
        { requiredKeys: schema.required ?? [] },
      );
    default:
      return fc.oneof(
        fc.string(),
        fc.constantFrom("1", "id:2", "Blue Tape", "Bob's Clamp", "NA", "Tools", "<script>alert(1)</script>"),
      );
  }
}

if (import.meta.main) {
  const { positionals: [count = "5000"] } = parseArgs({ allowPositionals: true });
  const { wrong, statuses } = await fuzzRequests(await tinyService(), Number(count));
  console.log(
    `${count} requests: ${[...statuses].sort().map(([status, n]) => `${n} of ${status}`).join(", ")}`,
  );
  console.log(`${wrong.length} answers that are not as described`);
  for (const one of wrong.slice(0, 5)) console.log(JSON.stringify(one));
  Deno.exit(wrong.length === 0 ? 0 : 1);
}
