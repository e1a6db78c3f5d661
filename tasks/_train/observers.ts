import { basename } from "node:path";
import type { StartReports } from "../../train/observers/observer.ts";
import { openObservers } from "../../train/observers/open.ts";
import type { ReportSettings } from "../../train/run/fields.ts";
import type { TaskIO } from "../_cli/cli.ts";

/** Opens what the settings of a run in `out` report to; `name` is what they call it. */
export function observersOf(
  out: string,
  settings: ReportSettings,
  io: TaskIO,
  name = basename(out),
): StartReports {
  return (start) =>
    openObservers(settings.reportTo, {
      directory: out,
      name,
      config: { ...settings },
      project: settings.wandbProject,
      ...start,
      tell: io.log,
    });
}
