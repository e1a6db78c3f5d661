"""Writes wandb.json: what the reader of Weights & Biases finds in run.wandb.

Run in this folder, after make_wandb.ts, with wandb 0.19: python make_wandb.py
"""

import json
import pathlib

from google.protobuf.json_format import MessageToDict
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore


def main():
    reader = DataStore()
    reader.open_for_scan("run.wandb")
    records = []
    while (data := reader.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        records.append(MessageToDict(record, preserving_proto_field_name=True))
    for item in records[0]["run"]["config"]["update"]:
        if len(item["value_json"]) > 100:
            item["value_json"] = f"{len(item['value_json'])} characters"
    pathlib.Path("wandb.json").write_text(json.dumps(records) + "\n")


if __name__ == "__main__":
    main()
