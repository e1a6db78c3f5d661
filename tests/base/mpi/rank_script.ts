// What each rank of the tests of the world does.
import { joinWorld } from "../../../base/mpi/world.ts";
import { gatherJson } from "../../../base/parallel/world.ts";

try {
  const world = (await joinWorld())!;
  const { rank, size } = world;
  const texts = await gatherJson(world, "x".repeat(rank));
  // Number s of rank r is 10 r + s: so that what arrives tells where it is from.
  const send = Float32Array.from({ length: 2 * size }, (_, i) => 10 * rank + (i >> 1));
  const received = new Float32Array(2 * size);
  await world.exchange(send, received);
  const all = new Float32Array(size);
  await world.collect(Float32Array.of(rank + 0.5), all);
  // 1 + 2^-23 is the number after 1, and half of that is lost.
  const sum = Float32Array.of(1, 1, 0.1);
  world.add(sum, Float32Array.of(2 ** -23, 2 ** -24, 0.2));
  if (Deno.args[0] === "hang" && rank === 1) await new Promise((resume) => setTimeout(resume, 60_000));
  const found = {
    rank,
    size,
    texts,
    received: [...received],
    all: [...all],
    sum: [...sum],
    places: world.places,
  };
  await world.leave();
  console.log(JSON.stringify(found));
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  Deno.exit(1);
}
