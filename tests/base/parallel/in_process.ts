import { addNumbers, placesOf, type World } from "../../../base/parallel/world.ts";

/** Ranks of one process, which meet in its memory: what they compute is what processes would. */
export function worldsOf(size: number): World[] {
  const meetings: { arrived: Uint8Array[]; open: (all: Uint8Array[]) => void; all: Promise<Uint8Array[]> }[] =
    [];
  const places = placesOf(Array.from({ length: size }, () => ({ host: "here", pid: Deno.pid })));
  return places.map((_, rank) => {
    let calls = 0;
    const gather = async (bytes: Uint8Array) => {
      const call = calls++;
      if (!meetings[call]) {
        const { promise, resolve } = Promise.withResolvers<Uint8Array[]>();
        meetings[call] = { arrived: [], open: resolve, all: promise };
      }
      const meeting = meetings[call];
      meeting.arrived[rank] = bytes.slice();
      if (Object.keys(meeting.arrived).length === size) meeting.open(meeting.arrived);
      return await meeting.all;
    };
    const numbersOf = (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer);
    const bytesOf = (numbers: Float32Array) => new Uint8Array(numbers.slice().buffer);
    return {
      rank,
      size,
      places,
      gather,
      async exchange(send, received) {
        const slice = send.length / size;
        const all = (await gather(bytesOf(send))).map(numbersOf);
        all.forEach((sent, from) =>
          received.set(sent.subarray(rank * slice, (rank + 1) * slice), from * slice)
        );
      },
      async collect(slice, all) {
        (await gather(bytesOf(slice))).forEach((bytes, from) =>
          all.set(numbersOf(bytes), from * slice.length)
        );
      },
      add: addNumbers,
      abort(code) {
        throw new Error(`rank ${rank} ended all ranks with ${code}`);
      },
      leave: () => Promise.resolve(),
    };
  });
}
