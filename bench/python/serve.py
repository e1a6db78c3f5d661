"""Answers of the scripts in this folder."""

import json
import resource
import sys
import time

import torch


def serve(work):
    """Answers each line of standard input with a line "bench:": the dictionary work(line), and what it cost."""
    for line in sys.stdin:
        start, used = time.perf_counter(), time.process_time()
        answer = work(line)
        cost = {
            "milliseconds": 1e3 * (time.perf_counter() - start),
            "processorMilliseconds": 1e3 * (time.process_time() - used),
            "threads": torch.get_num_threads(),
            "residentBytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        print("bench:" + json.dumps(answer | cost), flush=True)
