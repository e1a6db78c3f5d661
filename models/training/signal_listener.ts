// How long a stop signal may go unseen, in milliseconds: the event loop hears of it only when the loop waits for a timer,
// which costs 1 to 2 ms.
const LISTEN_EVERY = 50;

/** Lets signals in while steps are recorded one after the other. */
export class SignalListener {
  #listenedAt = performance.now();

  /** Waits for a timer now and then; call it after every step. */
  async listen(): Promise<void> {
    if (performance.now() - this.#listenedAt <= LISTEN_EVERY) return;
    await new Promise((resume) => setTimeout(resume, 0));
    this.#listenedAt = performance.now();
  }
}
