/** A span of time in unix seconds, `start` included; null where it is open. */
export interface TimeWindow {
  start: number | null;
  end: number | null;
}

const DATE = /^(\d{4})-(\d{2})(?:-(\d{2}))?$/;

/** Unix seconds of midnight UTC of a date such as 2016-10 (its first day) or 2016-10-31; null for "". Throws `RangeError`. */
export function parseDate(text: string): number | null {
  if (text === "") return null;
  const match = DATE.exec(text);
  const [year, month, day] = match?.slice(1).map((part) => Number(part ?? 1)) ?? [];
  const date = new Date(Date.UTC(year, month - 1, day));
  if (!match || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) {
    throw new RangeError(`expected a date such as 2016-10 or 2016-10-31`);
  }
  return date.getTime() / 1000;
}

/** The same window, beginning a year earlier. */
export function startYearEarlier(window: TimeWindow): TimeWindow {
  const start = new Date(window.start! * 1000);
  start.setUTCFullYear(start.getUTCFullYear() - 1);
  return { ...window, start: start.getTime() / 1000 };
}

/** Whether a window may still begin a year earlier under MiniOneRec's rule, which stops at 1996. */
export function mayExpand({ start }: TimeWindow): boolean {
  return start !== null && new Date(start * 1000).getUTCFullYear() > 1996;
}
