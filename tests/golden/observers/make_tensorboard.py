"""Writes tensorboard.json: what TensorBoard's own reader finds in the event files of tensorboard/.

Run in this folder, after make_tensorboard.ts: python make_tensorboard.py
"""

import json
import pathlib

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    reader = EventAccumulator("tensorboard", purge_orphaned_data=True).Reload()
    golden = {
        "firstEvent": reader.FirstEventTimestamp(),
        "scalars": {
            tag: [[event.wall_time, event.step, event.value] for event in reader.Scalars(tag)]
            for tag in reader.Tags()["scalars"]
        },
    }
    pathlib.Path("tensorboard.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
