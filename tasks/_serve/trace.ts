const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Where a request stands in a trace of W3C Trace Context. */
export interface Trace {
  /** 32 hexadecimal digits; those of the caller, where it told any. */
  traceId: string;
  /** 16 hexadecimal digits of what this server does. */
  spanId: string;
  /** Those of the caller's part. */
  parentId?: string;
  /** Two hexadecimal digits, 01 where the caller records the trace. */
  flags: string;
}

/** The trace that a header `traceparent` tells of, or a new one where it tells of none. */
export function traceOf(header: string | undefined): Trace {
  const spanId = randomHex(8);
  const [, version, traceId, parentId, flags, more] = TRACEPARENT.exec(header?.trim() ?? "") ?? [];
  const isValid = version !== undefined && version !== "ff" && !/^0*$/.test(traceId) &&
    !/^0*$/.test(parentId) &&
    (version !== "00" || more === undefined);
  return isValid ? { traceId, spanId, parentId, flags } : { traceId: randomHex(16), spanId, flags: "00" };
}

/** What is passed on. */
export function traceparentOf({ traceId, spanId, flags }: Trace): string {
  return `00-${traceId}-${spanId}-${flags}`;
}

function randomHex(bytes: number): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(bytes)),
    (byte) => byte.toString(16).padStart(2, "0"),
  )
    .join("");
}
