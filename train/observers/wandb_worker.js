// Runs in a worker of its own. The SDK throws errors where nobody can catch them, prints, asks for keys, and ends the
// process on Ctrl-C; here all of that meets the worker alone.
import process from "node:process";

process.once = () => process;
for (const name of ["log", "info", "warn", "error", "debug"]) console[name] = () => {};

const fail = (error) => self.postMessage({ failed: String(error?.message ?? error) });
self.addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.error ?? event.message);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});

/** Messages, worked off in turn: {library, options}, then {step, values}s, then {finish}. */
let work = Promise.resolve();
let sdk;
self.onmessage = ({ data }) => {
  work = work.then(() => handle(data)).catch(fail);
};

async function handle({ library, options, step, values, finish }) {
  if (library) {
    sdk = (await import(library)).default;
    const run = await sdk.init(options);
    self.postMessage({ url: run.url() });
  } else if (finish) {
    await sdk.finish();
    self.postMessage({ finished: true });
  } else {
    sdk.log(values, step);
  }
}
