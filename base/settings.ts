/** What the settings of a pluggable part may be: as much of a zod object as its users need. */
export interface SettingsSchema<C> {
  /** Settings with defaults filled in. Throws a `ZodError` for values out of range and unknown keys. */
  parse(settings: unknown): C;
  /** A zod type for each setting, with its default and description: the flags of the command line. */
  readonly shape: Readonly<Record<string, unknown>>;
}
