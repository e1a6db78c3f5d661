import { Problem } from "./problem.ts";

/**
 * The body of a request.
 * @throws {Problem} 413 for more than `most` bytes, 408 for one that has not arrived `within` milliseconds.
 */
export async function readBody(
  request: Request,
  most: number,
  within: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new Problem(
    413,
    `Cannot read the body: it has more than ${most} bytes. Ask for fewer users at once`,
    { Connection: "close" },
  );
  if (Number(request.headers.get("Content-Length")) > most) throw tooLarge;
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() =>
    reject(
      new Problem(408, "Cannot read the body: it did not arrive in time. Send it at once", {
        Connection: "close",
      }),
    ), within);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) break;
      if ((bytes += value.length) > most) throw tooLarge;
      chunks.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error instanceof Problem
      ? error
      : new Problem(400, "Cannot read the body: it broke off. Send it again", { Connection: "close" });
  } finally {
    clearTimeout(timer);
    late.catch(() => {});
  }
  const body = new Uint8Array(bytes);
  let start = 0;
  for (const chunk of chunks) {
    body.set(chunk, start);
    start += chunk.length;
  }
  return body;
}
