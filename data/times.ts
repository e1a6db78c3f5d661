/** Times that a log may hold, in seconds: 1990 to 2100. Numbers of other units fall outside. */
export const PERIOD = { from: 631_152_000, to: 4_102_444_800 };

/** Digits that a unit has beyond seconds. */
export const UNIT_DIGITS = { seconds: 0, milliseconds: 3, microseconds: 6, nanoseconds: 9 } as const;
export type NumberUnit = keyof typeof UNIT_DIGITS;

const units = Object.keys(UNIT_DIGITS) as NumberUnit[];

/** The unit that puts a number into {@link PERIOD}; none for counters and dates as digits. */
export function likelyUnit(number: number): NumberUnit | undefined {
  return units.find((unit) => {
    const seconds = number / 10 ** UNIT_DIGITS[unit];
    return seconds >= PERIOD.from && seconds <= PERIOD.to;
  });
}

/** The one unit of a column of numbers: that which puts most of them into {@link PERIOD}, else seconds. */
export function unitOf(numbers: Iterable<number>): NumberUnit {
  const counts = { seconds: 0, milliseconds: 0, microseconds: 0, nanoseconds: 0 };
  let total = 0;
  for (const number of numbers) {
    total++;
    const unit = likelyUnit(number);
    if (unit !== undefined) counts[unit]++;
  }
  const best = units.reduce((a, b) => counts[b] > counts[a] ? b : a);
  return counts[best] >= total / 2 ? best : "seconds";
}

/** A time to the nanosecond: whole seconds since 1970, rounded down, and what is beyond them. */
export interface ExactTime {
  seconds: number;
  nanoseconds: number;
}

/** The time that a number's text says, all of its digits used: a double loses the last of nanoseconds. */
export function exactTime(text: string, unit: NumberUnit): ExactTime {
  const digits = UNIT_DIGITS[unit];
  const match = /^\s*\+?(\d+)(?:\.(\d*))?\s*$/.exec(text);
  if (match === null) {
    const value = Number(text) / 10 ** digits;
    const seconds = Math.floor(value);
    return { seconds, nanoseconds: Math.floor((value - seconds) * 1e9) };
  }
  const whole = match[1].padStart(digits + 1, "0");
  const point = whole.length - digits;
  const rest = whole.slice(point) + (match[2] ?? "");
  return { seconds: Number(whole.slice(0, point)), nanoseconds: Number(rest.slice(0, 9).padEnd(9, "0")) };
}
