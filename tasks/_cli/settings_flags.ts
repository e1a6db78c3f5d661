import { z } from "zod";
import type { SettingsSchema } from "../../base/settings.ts";
import { UsageError } from "./cli.ts";
import { flagOf } from "./command/property.ts";

/** Something chosen by name that brings settings of its own, such as a SID method. */
export interface Configurable<C = unknown> {
  readonly name: string;
  readonly Config: SettingsSchema<C>;
}

interface Setting {
  key: string;
  /** What each owner says of it. */
  descriptions: string[];
  /** Types without defaults, one an owner that differs from those before. */
  types: z.ZodType[];
  /** Default by name of the owner, undefined where it must be given. */
  defaults: Map<string, unknown>;
}

/**
 * The settings of all `parts` as fields of a task's schema. Parts share the names of settings that mean the same but not
 * their defaults, so no flag has one: {@link settingsOf} leaves out what is not given, and the help tells whose setting
 * it is and what it defaults to. `kind` is what a part is called, such as "method".
 */
export function settingsFlags(parts: readonly Configurable[], kind: string): Record<string, z.ZodType> {
  const groups = new Map<string, Setting[]>();
  for (const setting of collect(parts).values()) {
    const owners = [...setting.defaults.keys()];
    const group = `Settings of ${owners.length === parts.length ? `every ${kind}` : owners.join(", ")}`;
    groups.set(group, [...groups.get(group) ?? [], setting]);
  }
  // What most parts share comes first.
  const sorted = [...groups].sort(([, [a]], [, [b]]) => b.defaults.size - a.defaults.size);
  return Object.fromEntries(
    sorted.flatMap(([group, settings]) =>
      settings.map(({ key, descriptions, types, defaults }) => {
        const type = types.length === 1 ? types[0] : z.union(types as [z.ZodType, z.ZodType, ...z.ZodType[]]);
        const meta = { description: mostCommon(descriptions), group, usually: defaultsText(defaults) };
        return [key, type.optional().meta(meta)];
      })
    ),
  );
}

/**
 * Settings of one part out of all flags, its own defaults filled in.
 * @throws {UsageError} for a setting that was given and belongs to others, and for a value that it does not take.
 */
export function settingsOf<C>(
  part: Configurable<C>,
  parts: readonly Configurable[],
  flags: Readonly<Record<string, unknown>>,
  kind: string,
): C {
  for (const [key, { defaults }] of collect(parts)) {
    if (flags[key] === undefined) continue;
    if (!defaults.has(part.name)) {
      throw new UsageError(
        `Cannot use ${flagOf(key)} with the ${kind} ${part.name}: it is a setting of ${
          [...defaults.keys()].join(", ")
        }. Leave it out`,
      );
    }
  }
  return ownSettings(part, flags, kind);
}

/**
 * Settings of one part out of all flags, its own defaults filled in, where those of others may be given beside them.
 * @throws {UsageError} for a value that it does not take.
 */
export function ownSettings<C>(
  part: Configurable<C>,
  flags: Readonly<Record<string, unknown>>,
  kind: string,
): C {
  const given = Object.fromEntries(
    Object.keys(part.Config.shape).filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]),
  );
  try {
    return part.Config.parse(given);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [{ path, message }] = error.issues;
    if (path.length === 0) throw new UsageError(`Cannot use these settings of ${part.name}: ${message}`);
    const key = String(path[0]);
    const value = given[key] === undefined ? "" : ` ${given[key]}`;
    throw new UsageError(`Cannot use ${flagOf(key)}${value} with the ${kind} ${part.name}: ${message}`);
  }
}

/** Defaults of settings by name, undefined where one must be given. */
export function settingsDefaults({ shape }: Pick<SettingsSchema<unknown>, "shape">): Record<string, unknown> {
  const fields = Object.entries(shape as Record<string, z.ZodType>);
  return Object.fromEntries(fields.map(([key, field]) => [key, defaultOf(field)]));
}

function collect(parts: readonly Configurable[]): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const { name, Config } of parts) {
    for (const [key, field] of Object.entries(Config.shape as Record<string, z.ZodType>)) {
      let setting = settings.get(key);
      if (setting === undefined) {
        setting = { key, descriptions: [], types: [], defaults: new Map() };
        settings.set(key, setting);
      }
      setting.descriptions.push(field.description ?? "");
      const type = withoutDefault(field);
      if (!setting.types.some((known) => schemaText(known) === schemaText(type))) setting.types.push(type);
      setting.defaults.set(name, defaultOf(field));
    }
  }
  return settings;
}

function withoutDefault(field: z.ZodType): z.ZodType {
  if (field instanceof z.ZodDefault || field instanceof z.ZodOptional) {
    return withoutDefault(field.unwrap() as z.ZodType);
  }
  return field;
}

function schemaText(type: z.ZodType): string {
  const { description: _, ...schema } = z.toJSONSchema(type, { io: "input", unrepresentable: "any" });
  return JSON.stringify(schema);
}

function defaultOf(field: z.ZodType): unknown {
  return field instanceof z.ZodDefault ? field.def.defaultValue : undefined;
}

/** `42`, or `256, opq 64` where not all owners have the same; empty where none has any. */
function defaultsText(defaults: ReadonlyMap<string, unknown>): string {
  const texts = new Map([...defaults].map(([name, value]) => [name, valueText(value)]));
  const usual = mostCommon([...texts.values()]);
  const others = [...texts].filter(([, text]) => text !== usual).map(([name, text]) =>
    `${name} ${text || "none"}`
  );
  return [...(usual === "" ? [] : [usual]), ...others].join(", ");
}

/** The first of those that occur most often. */
function mostCommon(texts: readonly string[]): string {
  const count = (text: string) => texts.filter((other) => other === text).length;
  return texts.reduce((best, text) => count(text) > count(best) ? text : best);
}

function valueText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return value === true ? "yes" : value === false ? "no" : String(value);
}
