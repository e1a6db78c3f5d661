/** No adapter, or one that cannot do what was asked. The message says what to do. */
export class DeviceError extends Error {}
