import type { WandbLine, WandbRun } from "./wandb_run.ts";

/** How the service is reached. */
export interface WandbService {
  /** Its address. Default: `WANDB_BASE_URL`, else the public one. */
  baseUrl?: string;
  apiKey: string;
  /** Milliseconds between two requests, from the first of a run on. */
  pause?: number;
  /** Times that a request is tried. */
  attempts?: number;
  /** Milliseconds that {@link WandbClient.finish} waits for what is still on its way. */
  patience?: number;
}

// The service takes a run that says nothing for minutes as crashed.
const HEARTBEAT = 30_000;

const UPSERT =
  `mutation UpsertBucket($name: String!, $project: String, $entity: String, $displayName: String, $config: JSONString) {
  upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, displayName: $displayName, config: $config}) {
    bucket { name project { name entity { name } } }
  }
}`;

/**
 * Sends the history of a run to Weights & Biases: the run by GraphQL, its lines to the file stream, each at its place in
 * the history, so that what was sent before may be sent again. Requests go one after the other in the background.
 */
export class WandbClient {
  #service: Required<WandbService>;
  #fail: (reason: string) => void;
  #lines: WandbLine[] = [];
  #sent = 0;
  #latest: Record<string, unknown> = {};
  #ended = Promise.withResolvers<void>();
  #finishing = false;
  #failed = false;
  #wake = () => {};

  /** Starts to send; `told` gets the address of the run, `fail` why no more is sent. */
  constructor(
    run: WandbRun,
    service: WandbService,
    told: (url: string) => void,
    fail: (reason: string) => void,
  ) {
    const baseUrl = service.baseUrl ?? Deno.env.get("WANDB_BASE_URL") ?? "https://api.wandb.ai";
    this.#service = {
      pause: 2000,
      attempts: 6,
      patience: 15_000,
      ...service,
      baseUrl: baseUrl.replace(/\/+$/, ""),
    };
    this.#fail = fail;
    this.#work(run, told).catch((error) => this.#giveUp((error as Error).message)).finally(
      this.#ended.resolve,
    );
  }

  /** Sends a line of the history, some time. */
  send(line: WandbLine): void {
    if (this.#failed) return;
    this.#lines.push(line);
    this.#wake();
  }

  /** Sends what is left and that the run is over. */
  async finish(): Promise<void> {
    if (this.#failed) return;
    const { patience } = this.#service;
    this.#finishing = true;
    this.#wake();
    const timer = setTimeout(() => this.#giveUp(`it did not answer for ${patience / 1000} s`), patience);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  #giveUp(reason: string): void {
    if (!this.#failed) this.#fail(reason);
    this.#failed = true;
    this.#ended.resolve();
  }

  async #work({ id, project, entity, name, config }: WandbRun, told: (url: string) => void): Promise<void> {
    const settings = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, { value }]));
    const answer = await this.#post("/graphql", {
      query: UPSERT,
      variables: { name: id, project, entity, displayName: name, config: JSON.stringify(settings) },
    }) as { errors?: { message: string }[]; data?: { upsertBucket?: { bucket?: Bucket } } };
    const bucket = answer.data?.upsertBucket?.bucket;
    if (!bucket) throw new Error(answer.errors?.[0]?.message ?? "it made no run");
    const place = [bucket.project.entity.name, bucket.project.name];
    const path = `/files/${[...place, bucket.name].map(encodeURIComponent).join("/")}/file_stream`;
    told(`${this.#service.baseUrl.replace("//api.wandb", "//wandb")}/${place.join("/")}/runs/${bucket.name}`);
    while (!this.#failed) {
      const finishing = this.#finishing;
      const lines = this.#lines.splice(0);
      for (const { values } of lines) Object.assign(this.#latest, values);
      await this.#post(path, {
        ...lines.length > 0 && {
          files: {
            "wandb-history.jsonl": {
              offset: this.#sent,
              content: lines.map(({ values }) => JSON.stringify(values)),
            },
            "wandb-summary.json": { offset: 0, content: [JSON.stringify(this.#latest)] },
          },
        },
        ...finishing ? { complete: true, exitcode: 0 } : { complete: false },
      });
      this.#sent += lines.length;
      if (finishing) return;
      await this.#pause(this.#service.pause);
      if (this.#lines.length === 0) await this.#pause(HEARTBEAT);
    }
  }

  /** Waits so long, less where something is to be done at once. */
  async #pause(milliseconds: number): Promise<void> {
    if (this.#finishing) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    Deno.unrefTimer(timer);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }

  async #post(path: string, body: unknown): Promise<unknown> {
    const { baseUrl, apiKey, attempts } = this.#service;
    for (let attempt = 1;; attempt++) {
      let reason: string;
      try {
        const response = await fetch(baseUrl + path, {
          method: "POST",
          headers: { "Content-Type": "application/json", Authorization: `Basic ${btoa(`api:${apiKey}`)}` },
          body: JSON.stringify(body),
        });
        const answer = await response.text();
        if (response.ok) return answer === "" ? {} : JSON.parse(answer);
        reason = `${baseUrl} answered ${response.status} ${answer.slice(0, 200)}`.trim();
        if (response.status < 500 && response.status !== 429) throw new Refused(reason);
      } catch (error) {
        if (error instanceof Refused) throw error;
        reason = (error as Error).message;
      }
      if (attempt === attempts || this.#failed) throw new Error(reason);
      await this.#pause(this.#service.pause * 2 ** (attempt - 1) / 2);
    }
  }
}

/** What stays wrong, however often it is asked. */
class Refused extends Error {}

interface Bucket {
  name: string;
  project: { name: string; entity: { name: string } };
}
