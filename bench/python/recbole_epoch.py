"""Epochs of RecBole's SASRec with loss CE on the CPU, for sasrec.ts.

python recbole_epoch.py FOLDER

FOLDER holds epoch.json: shape, settings, and the sequences of item numbers. RecBole learns a row for each target, its
history of up to `max_length` items padded to that length, which is how it augments data itself. A line on standard input
asks for an epoch of its trainer; the answer is a line "bench:" as of sasrec_epoch.py.
"""

import itertools
import json
import logging
import os
import pathlib
import sys
import warnings

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender.sasrec import SASRec
from recbole.trainer import Trainer
from serve import serve


def write_rows(folder, work):
    """train: a row a target; valid and test, which nothing reads: every item once, so that all are in the catalogue."""
    rows = [
        (user, sequence[:end], sequence[end])
        for user, sequence in enumerate(work["sequences"])
        for end in range(1, len(sequence))
    ]
    every = [(0, [item], item) for item in range(work["shape"]["num_items"])]
    (folder / "bench").mkdir()
    for split, some in (("train", rows), ("valid", every), ("test", every[:1])):
        lines = ["user_id:token\titem_id_list:token_seq\titem_id:token"]
        lines += [f"{user}\t{' '.join(map(str, history))}\t{item}" for user, history, item in some]
        (folder / "bench" / f"bench.{split}.inter").write_text("\n".join(lines) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    sys.argv = sys.argv[:1]  # which RecBole reads
    os.chdir(folder)  # where it writes logs
    warnings.simplefilter("ignore")
    work = json.loads((folder / "epoch.json").read_text())
    shape = work["shape"]
    write_rows(folder, work)
    settings = {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id_list", "item_id"]},
        "alias_of_item_id": ["item_id_list"],
        "MAX_ITEM_LIST_LENGTH": shape["max_length"],
        "hidden_size": shape["hidden_size"],
        "inner_size": shape["hidden_size"],
        "n_layers": shape["num_hidden_layers"],
        "n_heads": shape["num_attention_heads"],
        "hidden_dropout_prob": work["dropout"],
        "attn_dropout_prob": work["dropout"],
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "train_batch_size": work["recboleBatch"],
        "learning_rate": work["learningRate"],
        "use_gpu": False,
        "show_progress": False,
    }
    config = Config(model="SASRec", dataset="bench", config_dict=settings)
    logging.disable(logging.CRITICAL)
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    model = SASRec(config, train.dataset)
    trainer = Trainer(config, model)
    epochs = itertools.count()
    serve(
        lambda _: {
            "loss": trainer._train_epoch(train, next(epochs), show_progress=False) / len(train),
            "steps": len(train),
        }
    )


if __name__ == "__main__":
    main()
