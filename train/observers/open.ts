import type { MetricsObserver, ObserverContext, OpenObserver } from "./observer.ts";
import * as registry from "./registry.ts";

const observers: Record<keyof typeof registry, OpenObserver> = registry;

/** Names of `reportTo`, as in Hugging Face's `report_to`. */
export type ReportTo = "none" | keyof typeof registry;

/** All of {@link ReportTo}. */
export const REPORT_TO = ["none", ...Object.keys(observers)] as [ReportTo, ...ReportTo[]];

/**
 * Opens the observers of these names, as one. None of them can stop a run: one that fails is warned of once and left
 * out from then on.
 */
export async function openObservers(
  names: readonly ReportTo[],
  context: ObserverContext,
): Promise<MetricsObserver> {
  const open = new Map<string, MetricsObserver>();
  const attempt = async (name: string, work: () => Promise<void> | void) => {
    try {
      await work();
    } catch (error) {
      open.delete(name);
      context.tell(`No metrics to ${name}: ${(error as Error).message}`);
    }
  };
  for (const name of new Set(names)) {
    if (name !== "none") await attempt(name, async () => void open.set(name, await observers[name](context)));
  }
  return {
    async log(step, values) {
      for (const [name, observer] of [...open]) await attempt(name, () => observer.log(step, values));
    },
    async close() {
      for (const [name, observer] of [...open]) await attempt(name, () => observer.close());
      open.clear();
    },
  };
}
