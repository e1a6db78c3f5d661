"""Writes onnx_encoder/: a tiny random BERT exported to ONNX, laid out as sentence-transformers does, and its vectors.

Run in this folder: python make_onnx_encoder.py
"""

import json
import pathlib
import sys
import shutil

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

sys.path.append(str(pathlib.Path(__file__).parent.parent / "decoder"))
from make_decoder import randomise, rounded  # noqa: E402

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "Stainless steel hex bolt, 3/8 inch x 2 inch, pack of 25",
    "Digital caliper with LCD display",
    "bolt",
    "Nitrile gloves, powder free, size L, box of 100 gloves; nitrile gloves for the laboratory.",
]
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class LastHiddenState(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        outputs = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return outputs.last_hidden_state


def train_tokenizer():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ["[CLS]", "[SEP]"]]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def write_json(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


@torch.no_grad()
def make():
    folder = HERE / "onnx_encoder"
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = train_tokenizer()
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=40,
        pad_token_id=tokenizer.pad_token_id,
    )
    config._attn_implementation = "eager"
    torch.manual_seed(13)
    model = BertModel(config, add_pooling_layer=False).eval()
    randomise(model, torch.Generator().manual_seed(13))
    config.save_pretrained(folder)
    (folder / "onnx").mkdir()
    example = torch.ones(2, 5, dtype=torch.long)
    # eval() on the outer module: the exporter puts all inner ones back into its mode, dropout and all.
    torch.onnx.export(
        LastHiddenState(model).eval(),
        (example, example, example * 0),
        str(folder / "onnx" / "model.onnx"),
        input_names=INPUTS,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in [*INPUTS, "last_hidden_state"]},
        opset_version=17,
        dynamo=False,
    )
    layers = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(layers)
    ]
    write_json(folder / "modules.json", modules)
    write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    )
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": False})

    golden = []
    for text in TEXTS:
        ids = tokenizer(text, truncation=True, max_length=12)["input_ids"]
        hidden = model(torch.tensor([ids])).last_hidden_state[0]
        pooled = {"mean": rounded(hidden.mean(0)), "last": rounded(hidden[-1]), "cls": rounded(hidden[0])}
        golden.append({"text": text, "ids": ids, "pooled": pooled})
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make()
