// The worker of a page: everything that computes, so that the page stays responsive.
import { UserError } from "../../base/user_error.ts";
import { DeviceError } from "../../kernels/gpu/device_error.ts";
import { PageEngine } from "./engine.ts";
import type { PageQuestion, WorkerAnswer, WorkerNews } from "./messages.ts";

const engine = new PageEngine();
// The scope of a worker, for which the types of a page have no name.
const scope = self as unknown as {
  postMessage(message: WorkerAnswer | WorkerNews): void;
  onmessage: (event: MessageEvent) => void;
};

scope.onmessage = async ({ data }: MessageEvent<PageQuestion>) => {
  const { id } = data;
  try {
    scope.postMessage({ id, answer: await answerTo(data) });
  } catch (error) {
    if (!(error instanceof UserError || error instanceof DeviceError)) console.error(error);
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};

function answerTo(question: PageQuestion): Promise<unknown> {
  switch (question.kind) {
    case "open":
      return engine.open(question.base, question.source);
    case "kept":
      return engine.kept(question.base);
    case "train":
      return engine.train(question.base, (progress) => scope.postMessage({ progress }));
    case "stop":
      return Promise.resolve(engine.stop());
    case "recommend":
      return engine.recommend(question);
  }
}
