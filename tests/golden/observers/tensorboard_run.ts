import type { ScalarEvent } from "../../../train/observers/event_file.ts";

const line = (wallTime: number, step: number, loss: number): ScalarEvent => ({
  wallTime,
  step,
  values: { "train/loss": loss, "train/learningRate": loss / 1000 },
});

/** Files of a run that was killed after step 300 and resumed from its checkpoint of step 200. */
export const tensorboardRun: Record<string, ScalarEvent[]> = {
  "events.out.tfevents.1700000000.host.1": [
    { wallTime: 1700000000.25, fileVersion: "brain.Event:2" },
    line(1700000001, 100, 4),
    line(1700000002, 200, 3),
    { wallTime: 1700000003, step: 200, values: { "valid/ndcg10": 0.125 } },
    line(1700000004, 300, 7),
  ],
  "events.out.tfevents.1700000010.host.2": [
    { wallTime: 1700000010, fileVersion: "brain.Event:2" },
    { wallTime: 1700000010, step: 201, sessionStart: true },
    line(1700000011, 300, 2),
    line(1700000012, 400, 1.5),
  ],
};
