import { UserError } from "../user_error.ts";
import { gatherJson, placesOf, type RankPlace, type World } from "../parallel/world.ts";
import { launcherOf } from "./launcher.ts";
import { type MpiLibrary, openLibrary, stringOf } from "./library.ts";

/** Seconds that a rank waits for the others, unless GENREC_RANK_TIMEOUT tells otherwise: a large checkpoint takes a while. */
const TIMEOUT = 1800;
/** Milliseconds after which a rank tells the others that it waits. */
const SAY_AFTER = 1000;
/** Milliseconds that ranks have to tell it, once time is over. */
const GRACE = 2 * SAY_AFTER;
/** Tag of the message that tells it. */
const WAITING = 7301;
/** Milliseconds in which a rank asks without a pause whether data has come. */
const SPIN = 20;

type Words = Int32Array<ArrayBuffer>;

/**
 * The world of the processes that mpirun, mpiexec or srun started, this one among them; undefined in a process that they
 * did not start, where no library is loaded.
 * @throws {UserError} where there is no library, or it sees other processes than were started.
 */
export async function joinWorld(
  environment: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<World | undefined> {
  const launcher = launcherOf(environment);
  if (!launcher) return undefined;
  const timeout = timeoutOf(environment("GENREC_RANK_TIMEOUT"));
  const library = openLibrary(launcher.libraries);
  const world = await MpiWorld.open(library, timeout);
  if (launcher.size !== undefined && launcher.size !== world.size) {
    throw new UserError(
      `Cannot work together: ${launcher.name} started ${launcher.size} processes, of which ${library.name} sees ` +
        `${world.size} (${
          library.version.split("\n")[0]
        }). Name the library of ${launcher.name} in GENREC_MPI`,
    );
  }
  return world;
}

/**
 * A world of MPI. Every call is one that does not block, asked from time to time whether it is done: so timers and
 * signals are heard, a rank that does not come is noticed, and one thread does all, as MPI_Init() wants.
 */
class MpiWorld implements World {
  readonly rank: number;
  readonly size: number;
  readonly timeout: number;
  #library: MpiLibrary;
  #places: readonly RankPlace[] = [];
  /** Calls so far: the same on all ranks, as all make the same. */
  #calls = 0;
  #request = new Uint8Array(new ArrayBuffer(64));
  #flag: Words = new Int32Array(16);
  /** Messages that may not have been read yet. */
  #sent: { calls: Words; request: Uint8Array<ArrayBuffer> }[] = [];

  private constructor(library: MpiLibrary, timeout: number) {
    const { call, handles } = library;
    this.timeout = timeout;
    this.#library = library;
    // Errors as results: what one says can be told before the end.
    this.#check("MPI_Init", call.MPI_Init(0n, 0n));
    this.#check(
      "MPI_Comm_set_errhandler",
      call.MPI_Comm_set_errhandler(handles.world, handles.errorsReturn),
    );
    const number = new Int32Array(16);
    this.#check("MPI_Comm_rank", call.MPI_Comm_rank(handles.world, number));
    this.rank = number[0];
    this.#check("MPI_Comm_size", call.MPI_Comm_size(handles.world, number));
    this.size = number[0];
  }

  static async open(library: MpiLibrary, timeout: number): Promise<MpiWorld> {
    const world = new MpiWorld(library, timeout);
    const host = stringOf((bytes, length) => library.call.MPI_Get_processor_name(bytes, length));
    world.#places = placesOf(await gatherJson(world, { host, pid: Deno.pid }));
    return world;
  }

  get places(): readonly RankPlace[] {
    return this.#places;
  }

  async gather(bytes: Uint8Array): Promise<Uint8Array[]> {
    const length = new Uint8Array(Uint32Array.of(bytes.length).buffer);
    const lengths = new Uint32Array((await this.#allGather(length)).buffer);
    const longest = Math.max(...lengths);
    const padded = new Uint8Array(longest);
    padded.set(bytes);
    const all = await this.#allGather(padded);
    return Array.from(lengths, (length, rank) => all.slice(rank * longest, rank * longest + length));
  }

  async exchange(send: Float32Array, received: Float32Array): Promise<void> {
    expectLength("exchange() received", received, send.length);
    if (send.length % this.size !== 0) {
      throw new RangeError(
        `exchange() of ${send.length} numbers: expected as many for each of ${this.size} ranks`,
      );
    }
    const { call, handles: { byte, world } } = this.#library;
    const bytes = send.byteLength / this.size;
    await this.#all(
      "MPI_Ialltoall",
      () =>
        call.MPI_Ialltoall(
          bufferOf(send),
          bytes,
          byte,
          bufferOf(received),
          bytes,
          byte,
          world,
          this.#request,
        ),
    );
  }

  async collect(slice: Float32Array, all: Float32Array): Promise<void> {
    expectLength("collect() all", all, slice.length * this.size);
    await this.#allGatherInto(bufferOf(slice), bufferOf(all));
  }

  add(sum: Float32Array, more: Float32Array): void {
    expectLength("add() more", more, sum.length);
    const { call, handles } = this.#library;
    const code = call.MPI_Reduce_local(bufferOf(more), bufferOf(sum), sum.length, handles.float, handles.sum);
    this.#check("MPI_Reduce_local", code);
  }

  abort(code: number): never {
    const { call, handles } = this.#library;
    call.MPI_Abort(handles.world, code);
    Deno.exit(code);
  }

  async leave(): Promise<void> {
    await this.#arrive();
    this.#heard(); // what nobody read would keep MPI_Finalize() waiting
    this.#check("MPI_Finalize", this.#library.call.MPI_Finalize());
  }

  /** The bytes of all ranks, equally many, one after the other. */
  async #allGather(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const all = new Uint8Array(bytes.length * this.size);
    await this.#allGatherInto(bytes, all);
    return all;
  }

  async #allGatherInto(bytes: Uint8Array<ArrayBuffer>, all: Uint8Array<ArrayBuffer>): Promise<void> {
    const { call, handles: { byte, world } } = this.#library;
    await this.#all(
      "MPI_Iallgather",
      () => call.MPI_Iallgather(bytes, bytes.length, byte, all, bytes.length, byte, world, this.#request),
    );
  }

  /** Waits for all ranks without taking time from them, then moves data as fast as it goes. */
  async #all(name: string, start: () => number): Promise<void> {
    await this.#arrive();
    this.#check(name, start());
    await this.#done(SPIN);
  }

  async #arrive(): Promise<void> {
    const { call, handles: { world } } = this.#library;
    this.#calls++;
    this.#check("MPI_Ibarrier", call.MPI_Ibarrier(world, this.#request));
    // Ranks of one machine often arrive together.
    await this.#done(0.2);
  }

  /** Waits until the request is done: asks for `spin` milliseconds without a pause, then sleeps for one. */
  async #done(spin: number): Promise<void> {
    const { call, handles: { ignoredStatus } } = this.#library;
    const startedAt = performance.now();
    let spinUntil = startedAt + spin;
    let isSaid = false;
    while (true) {
      this.#check("MPI_Test", call.MPI_Test(this.#request, this.#flag, ignoredStatus));
      if (this.#flag[0] !== 0) return;
      const now = performance.now();
      if (now < spinUntil) continue;
      if (!isSaid && now - startedAt > SAY_AFTER) {
        isSaid = true;
        this.#sayWaiting();
      }
      if (this.timeout > 0 && now - startedAt > this.timeout * 1000) await this.#giveUp();
      await new Promise((resume) => setTimeout(resume, 1));
      spinUntil = performance.now() + spin;
    }
  }

  /** Tells all others that this rank waits in this call, for {@link #giveUp} of theirs. */
  #sayWaiting(): void {
    const { call, handles: { byte, world } } = this.#library;
    for (let rank = 0; rank < this.size; rank++) {
      if (rank === this.rank) continue;
      const message = { calls: Int32Array.of(this.#calls), request: new Uint8Array(64) };
      this.#sent.push(message); // MPI reads it until it is sent, which nobody asks
      call.MPI_Isend(bufferOf(message.calls), 4, byte, rank, WAITING, world, message.request);
    }
    this.#sent.splice(0, Math.max(0, this.#sent.length - 64 * this.size));
  }

  /** The ranks that said that they wait in this call, this one among them. */
  #heard(): Set<number> {
    const { call, handles: { byte, world, ignoredStatus } } = this.#library;
    const waiting = new Set([this.rank]);
    const calls = new Int32Array(1);
    for (let rank = 0; rank < this.size; rank++) {
      while (rank !== this.rank) {
        call.MPI_Iprobe(rank, WAITING, world, this.#flag, ignoredStatus);
        if (this.#flag[0] === 0) break;
        call.MPI_Recv(bufferOf(calls), 4, byte, rank, WAITING, world, ignoredStatus);
        if (calls[0] >= this.#calls) waiting.add(rank);
      }
    }
    return waiting;
  }

  /** Names the ranks that did not come. */
  async #giveUp(): Promise<never> {
    const waiting = new Set<number>();
    const end = performance.now() + GRACE;
    while (performance.now() < end) {
      for (const rank of this.#heard()) waiting.add(rank);
      await new Promise((resume) => setTimeout(resume, 20));
    }
    const missing = this.#places.map((_, rank) => rank).filter((rank) => !waiting.has(rank));
    const names = missing.map((rank) => `rank ${rank} on ${this.#places[rank].host}`).join(", ");
    throw new UserError(
      `Cannot go on: ${
        names || "another rank"
      } did not answer for ${this.timeout} s while the others waited. See ` +
        "what it does, and resume the run; GENREC_RANK_TIMEOUT sets the seconds",
    );
  }

  #check(name: string, code: number): void {
    if (code === 0) return;
    const text = stringOf((bytes, length) => this.#library.call.MPI_Error_string(code, bytes, length));
    throw new UserError(
      `Cannot go on: ${name}() of ${this.#library.name} failed on rank ${
        this.rank ?? "?"
      }: ${text}. Another rank may ` +
        "have ended: resume the run",
    );
  }
}

function timeoutOf(text = ""): number {
  const seconds = text === "" ? TIMEOUT : Number(text);
  if (seconds >= 0) return seconds;
  throw new UserError(
    `Cannot wait for other ranks for GENREC_RANK_TIMEOUT=${text} seconds: expected a number from 0, which is for ever`,
  );
}

/** The bytes of an array, as a foreign function takes them. */
function bufferOf(array: Float32Array | Words): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}

function expectLength(what: string, { length }: Float32Array, expected: number): void {
  if (length !== expected) throw new RangeError(`${what} has ${length} numbers, expected ${expected}`);
}
