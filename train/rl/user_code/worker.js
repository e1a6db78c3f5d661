// Runs a reward's file in a worker of its own: what it changes, however long it loops and whether it ends its program,
// the training stands apart from it.
import process from "node:process";

const SHOWN = { depth: 1, compact: true, breakLength: Infinity, iterableLimit: 5, strAbbreviateSize: 60 };
const show = (value) => Deno.inspect(value, SHOWN);

/** What was thrown, in what can be posted. */
const told = (error) =>
  error instanceof Error
    ? { message: error.message, stack: String(error.stack ?? "") }
    : { message: show(error), stack: "" };

const post = self.postMessage.bind(self);
// The way out belongs to the answers.
self.postMessage = () => {
  throw new Error(
    "a reward in a file has nobody to post messages to. Return numbers, and warn with context.warn()",
  );
};
self.close = () => {
  throw new Error("it called close(), which would end the training. Throw an error instead");
};

const exit = (code = 0) => {
  post({ exit: Number(code) });
  throw new Error(`it called Deno.exit(${code})`);
};
Deno.exit = exit;
process.exit = exit;

self.addEventListener("error", (event) => {
  event.preventDefault();
  post({ failed: told(event.error ?? event.message) });
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  post({ failed: told(event.reason) });
});

/** A value that can be posted: functions, promises and the like as a text. */
function sendable(value) {
  try {
    structuredClone(value);
    return value;
  } catch {
    return { unsent: show(value) };
  }
}

function answer(id, value) {
  try {
    post({ id, value });
  } catch {
    post({ id, value: Array.isArray(value) ? Array.from(value, sendable) : sendable(value) });
  }
}

let reward;

/** Says what the file exports: {levels}, or {unusable}. */
async function load({ url, context }) {
  const exported = (await import(url)).default;
  const whole = {
    ...context,
    warn: (message) => post({ warn: String(message) }),
    device: () =>
      Promise.reject(
        new Error("a reward in a file has no device of the training. Open one: await Device.open()"),
      ),
  };
  if (typeof exported === "function") reward = { score: (group) => exported(group, whole) };
  else if (typeof exported?.create === "function") {
    reward = await exported.create(whole, exported.Config?.parse({}));
    if (typeof reward?.score !== "function") {
      return { unusable: `create() of its default export gave ${show(reward)}` };
    }
  } else return { unusable: `its default export is ${show(exported)}` };
  return { levels: typeof reward.scoreLevels === "function" };
}

// Messages: {id, work: "load", input: {url, context}}, then {id, work: "score" | "scoreLevels", input: group}.
self.onmessage = async ({ data: { id, work, input } }) => {
  try {
    answer(id, work === "load" ? await load(input) : await reward[work](input));
  } catch (error) {
    post({ id, failed: told(error) });
  }
};
