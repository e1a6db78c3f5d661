import { basename } from "node:path";
import type { MetricsObserver } from "../../train/observers/observer.ts";
import { openObservers, type ReportTo } from "../../train/observers/open.ts";
import type { TaskIO } from "../_cli/cli.ts";

/** Opens what the settings of a run in `out` report to. */
export function observersOf(
  out: string,
  settings: { reportTo: ReportTo[] },
  io: TaskIO,
): (firstStep: number) => Promise<MetricsObserver> {
  return (firstStep) =>
    openObservers(settings.reportTo, {
      directory: out,
      name: basename(out),
      config: { ...settings },
      firstStep,
      warn: io.log,
    });
}
