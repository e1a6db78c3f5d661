import type { OpenedRun } from "../_serve/opened_run.ts";
import type { Service } from "../_serve/service.ts";
import { ExploredRun } from "./explored_run.ts";
import { Studio, type UseRun } from "./show.ts";

/** The studio of the run that is served: it asks that run itself, between two searches. */
export function servedStudio(service: Service): () => Promise<Studio> {
  const studios = new WeakMap<OpenedRun, Promise<Studio>>();
  const explored = new WeakMap<OpenedRun, ExploredRun>();
  const use: UseRun = (_, use) =>
    service.withRun((run) => {
      const known = explored.get(run) ?? new ExploredRun(run.recommender, service.device);
      explored.set(run, known);
      return service.batcher.inTurn(() => use(known));
    });
  return () =>
    service.withRun((run) => {
      const known = studios.get(run) ?? Studio.open([run.recommender.provenance.run], [], use);
      studios.set(run, known);
      return known;
    });
}
