/** No adapter, or one that cannot do what was asked. The message says what to do. */
export class DeviceError extends Error {}

/** What is wrong where `bytes` for something do not go beside those held, so that all stay below `limit`. */
export function noRoom(what: string, bytes: number, held: number, limit: number): DeviceError {
  const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20).toLocaleString("en-US")} MiB`;
  return new DeviceError(
    `Cannot allocate ${what}: it takes ${mib(bytes)} beside ${mib(held)} that are in use, and ${
      mib(limit)
    } were free at ` +
      "the start. Use a smaller model, smaller batches, SIDs with fewer codewords, or another machine",
  );
}
