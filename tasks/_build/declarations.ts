import { dirname, relative } from "node:path";
import { z } from "zod";
import type { SettingsSchema } from "../../base/settings.ts";
import { collaborativeProvider } from "../../embed/collaborative.ts";
import { staticProvider } from "../../embed/static.ts";
import { RECONSTRUCTION_LOSSES } from "../../kernels/quantizer/reconstruction.ts";
import { MODEL_TYPES } from "../../models/decoder/shapes/by_name.ts";
import { OPTIM_NAMES } from "../../models/optimizer/rules/by_name.ts";
import { SCHEDULES } from "../../models/optimizer/schedule.ts";
import { letter } from "../../sid/methods/letter.ts";
import { opq } from "../../sid/methods/opq.ts";
import { rqKmeans } from "../../sid/methods/rq_kmeans.ts";
import { rqKmeansBalanced } from "../../sid/methods/rq_kmeans_balanced.ts";
import { rqKmeansConstrained } from "../../sid/methods/rq_kmeans_constrained.ts";
import { rqKmeansPlus } from "../../sid/methods/rq_kmeans_plus.ts";
import { rqVae } from "../../sid/methods/rq_vae.ts";
import { rqVaeV2 } from "../../sid/methods/rq_vae_v2.ts";
import { rvq } from "../../sid/methods/rvq.ts";
import { VECTOR_SCALINGS } from "../../sid/normalize.ts";
import { QuantizerSchema } from "../../sid/quantizer/config.ts";
import { REPORT_TO } from "../../train/observers/open.ts";
import { RlSchema } from "../../train/rl/config.ts";
import { RlExampleSchema } from "../../train/rl/examples/settings.ts";
import { SftSchema } from "../../train/sft/config.ts";

/** Interfaces of one generated file. */
export interface Declarations {
  /** Path from the root of the repository. */
  path: string;
  /** Schemas by the names of their interfaces; one that has the fields of one before it extends it. */
  schemas: Record<string, SettingsSchema<unknown>>;
}

/**
 * Settings of what `mod.ts` exports. Elsewhere `z.output<typeof Schema>` is the type; `deno publish` refuses that of
 * exported names (its type would have to be inferred from the schema's code), and editors show no text beside its fields.
 */
export const DECLARATIONS: readonly Declarations[] = [
  {
    path: "embed/settings.generated.ts",
    schemas: { CollaborativeConfig: collaborativeProvider.Config, StaticConfig: staticProvider.Config },
  },
  {
    path: "sid/settings.generated.ts",
    schemas: {
      RqKmeansConfig: rqKmeans.Config,
      RqKmeansBalancedConfig: rqKmeansBalanced.Config,
      RqKmeansConstrainedConfig: rqKmeansConstrained.Config,
      OpqConfig: opq.Config,
      RvqConfig: rvq.Config,
      QuantizerConfig: QuantizerSchema,
      RqVaeConfig: rqVae.Config,
      LetterConfig: letter.Config,
      RqVaeV2Config: rqVaeV2.Config,
      RqKmeansPlusConfig: rqKmeansPlus.Config,
    },
  },
  { path: "train/sft/config.generated.ts", schemas: { SftConfig: SftSchema } },
  {
    path: "train/rl/config.generated.ts",
    schemas: { RlExampleSettings: RlExampleSchema, RlConfig: RlSchema },
  },
];

/** Sets of words that have a type of their own. */
const NAMED = [
  { type: "ModelType", from: "models/decoder/shapes/by_name.ts", words: MODEL_TYPES },
  { type: "OptimName", from: "models/optimizer/rules/by_name.ts", words: OPTIM_NAMES },
  { type: "ScheduleName", from: "models/optimizer/schedule.ts", words: SCHEDULES },
  { type: "VectorScaling", from: "sid/normalize.ts", words: VECTOR_SCALINGS },
  {
    type: "ReconstructionLoss",
    from: "kernels/quantizer/reconstruction.ts",
    words: RECONSTRUCTION_LOSSES,
  },
  { type: "ReportTo", from: "train/observers/open.ts", words: REPORT_TO },
];

const HEADER = "// Generated from the schemas by `deno task codegen`: change those, not this file.\n";
const WIDTH = 110;

interface Property {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Property[];
  items?: Property;
  default?: unknown;
  description?: string;
}

/** The source of a generated file, formatted as `deno fmt` does. */
export function declarationsText({ path, schemas }: Declarations): string {
  const imports = new Set<string>();
  const interfaces: string[] = [];
  const known: Interface[] = [];
  for (const [name, schema] of Object.entries(schemas)) {
    const object = schema as unknown as z.ZodObject;
    const { properties = {}, required = [] } = z.toJSONSchema(object, {
      io: "output",
      unrepresentable: "any",
    });
    const fields = new Map(
      Object.entries(properties as Record<string, Property>).map(([key, property]) => {
        const type = typeText(property, imports, path);
        return [key, `${comment(property)}  ${key}${required.includes(key) ? "" : "?"}: ${type};\n`];
      }),
    );
    const { heritage, own } = inherited({ name, fields }, known);
    interfaces.push(
      `/** ${object.description} */\nexport interface ${name}${heritage} {\n${own.join("")}}\n`,
    );
    known.push({ name, fields });
  }
  return [HEADER + [...imports].sort().join(""), ...interfaces].join("\n");
}

/** Texts of the fields of an interface by their names. */
interface Interface {
  name: string;
  fields: Map<string, string>;
}

/** What an interface extends, and the fields that it has besides: of those before it the one that leaves the fewest. */
function inherited({ fields }: Interface, known: readonly Interface[]): { heritage: string; own: string[] } {
  let best = { heritage: "", own: [...fields.values()] };
  let fewest = fields.size;
  for (const base of known) {
    const lacking = [...base.fields.keys()].filter((key) => !fields.has(key));
    const own = [...fields].filter(([key, text]) => base.fields.get(key) !== text).map(([, text]) => text);
    const cost = own.length + lacking.length;
    if (cost >= fewest || (lacking.length > 0 && cost > fields.size / 2)) continue;
    fewest = cost;
    const left = lacking.map((key) => JSON.stringify(key)).join(" | ");
    best = { heritage: ` extends ${left === "" ? base.name : `Omit<${base.name}, ${left}>`}`, own };
  }
  return best;
}

/** Description and default as a comment above a field. */
function comment({ description = "", default: usual }: Property): string {
  const text = description.replace(/[;:]$/, "").replace(/^[a-z](?!\S*:)/, (letter) => letter.toUpperCase());
  const lines = wrapped(`${text}.`.replaceAll("*/", "*\\/"));
  if (usual !== undefined) lines.push(`@default ${JSON.stringify(usual)}`);
  return lines.length === 1
    ? `  /** ${lines[0]} */\n`
    : `  /**\n${lines.map((line) => `   * ${line}\n`).join("")}   */\n`;
}

function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== "" && last.length + word.length > WIDTH - 8) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

/** The TypeScript type of a field; what it names is added to `imports`. */
function typeText(property: Property, imports: Set<string>, path: string): string {
  const { type, enum: words, anyOf, items } = property;
  if (property.const !== undefined) return JSON.stringify(property.const);
  if (words !== undefined) {
    const named = NAMED.find((one) => JSON.stringify(one.words) === JSON.stringify(words));
    if (named === undefined) return words.map((word) => JSON.stringify(word)).join(" | ");
    const from = relative(dirname(path), named.from).replaceAll("\\", "/").replace(/^(?!\.)/, "./");
    imports.add(`import type { ${named.type} } from "${from}";\n`);
    return named.type;
  }
  if (anyOf !== undefined) return anyOf.map((one) => typeText(one, imports, path)).join(" | ");
  if (type === "array") {
    const item = typeText(items ?? {}, imports, path);
    return item.includes(" ") ? `(${item})[]` : `${item}[]`;
  }
  if (type === "integer" || type === "number") return "number";
  if (type === "string" || type === "boolean") return type;
  throw new RangeError(`No type is known for ${JSON.stringify(property)}`);
}
