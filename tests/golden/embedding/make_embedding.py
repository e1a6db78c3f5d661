"""Writes qwen2_embedding/, qwen3_embedding/ and qwen2.5_tokenizer.json: text embeddings and token ids of transformers.

Run in this folder: python make_embedding.py [FOLDER_OF_QWEN2.5_TOKENIZER]
Both models are tiny and random, with a tokenizer of 300 tokens trained on the texts below. `qwen3_embedding/` is laid
out as Qwen3-Embedding is: the backbone alone, whose tensors have no `model.` prefix, and a tokenizer that appends the
end of text. `qwen2_embedding/` is a causal language model in three shards, with a tokenizer that appends nothing.
"""

import json
import pathlib
import shutil
import sys

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3Model,
)

sys.path.append(str(pathlib.Path(__file__).parent.parent / "decoder"))
from make_decoder import randomise, rounded  # noqa: E402

HERE = pathlib.Path(__file__).parent
END = "<|endoftext|>"
# The pattern that Qwen2.5 splits words with.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXTS = [
    "Stainless steel hex bolt, 3/8 inch x 2 inch, pack of 25. Stainless steel hex nut, pack of 25.",
    "Digital caliper 150 mm with LCD display and stainless steel jaws",
    "a",
    "Nitrile gloves, powder free, size L, box of 100 gloves; nitrile gloves for the laboratory and the workshop. " * 3,
    "Crème brûlée torch \u2014 1300 \u00b0C",
    "\n\t  ",
]
SHAPE = dict(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    bos_token_id=None,
)
TRICKY = [
    "",
    " ",
    "Hello, world!",
    "  two  spaces\tand\ttabs \n\n new\r\nlines \r ",
    "don't WON'T I'll they'RE 'tis",
    "1234567890 3.14e-10 1,000,000 ½ ²",
    "naïve café cafe\u0301 ﬁne Å Å",
    "日本語のテキスト、中文测试，한국어 문장",
    "emoji 👩‍👩‍👧‍👦 🇩🇪 ✊🏽 and \ufe0f",
    "<|im_start|>user\nhi<|im_end|><|endoftext|>",
    "<a_12><b_3><c_255> < a_1 > <|not_a_token|>",
    "x" * 70 + " " * 40 + "-" * 33 + "=" * 17,
    "\u00a0non\u2003breaking\u200bzero\u200dwidth\ufeff",
    "math ∑∫√ → ≠ and \u0000 \u0001 \u007f control",
    "عربي עברית ไทย हिन्दी",
    "def f(x):\n    return {'a': [1, 2], \"b\": None}  # 100%",
    "SUPCO SPP6 Relay/Capacitor Hard Start Kit with 500% Increase Starting Torque",
]


def train_tokenizer(append_end):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    if append_end:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", pair=f"$A $B {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=END, eos_token=END)


def pooled(model, tokenizer, text, max_length=None):
    def hidden(ids):
        return model(torch.tensor([ids])).last_hidden_state[0]

    def encode(max_length):
        return tokenizer(text, truncation=max_length is not None, max_length=max_length)["input_ids"]

    states = hidden(encode(max_length))
    # The last token is the end of text: where the tokenizer does not append it, the caller of the model does.
    end = tokenizer.eos_token_id
    ended = encode(max_length)
    if ended[-1] != end:
        ended = encode(max_length and max_length - 1) + [end]
    return {"mean": rounded(states.mean(0)), "last": rounded(hidden(ended)[-1]), "cls": rounded(states[0])}


@torch.no_grad()
def make(name, model_class, config_class, append_end, seed, max_shard_size, **settings):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    train_tokenizer(append_end).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = tokenizer.eos_token_id
    config = config_class(**SHAPE, vocab_size=len(tokenizer), eos_token_id=end, pad_token_id=end, **settings)
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = model_class(config).float().eval()
    randomise(model, torch.Generator().manual_seed(seed))
    model.save_pretrained(folder, max_shard_size=max_shard_size)
    (folder / "generation_config.json").unlink(missing_ok=True)
    backbone = AutoModel.from_pretrained(folder, attn_implementation="eager").float().eval()

    golden = []
    for text in TEXTS:
        golden.append(
            {
                "text": text,
                "ids": tokenizer(text)["input_ids"],
                "pooled": pooled(backbone, tokenizer, text),
                "truncated": pooled(backbone, tokenizer, text, max_length=16),
            }
        )
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


def make_token_ids(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    golden = [{"text": text, "ids": tokenizer(text)["input_ids"]} for text in TRICKY]
    (HERE / "qwen2.5_tokenizer.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make(
        "qwen3_embedding",
        Qwen3Model,
        Qwen3Config,
        append_end=True,
        seed=11,
        max_shard_size="1GB",
        head_dim=16,
        rope_theta=1000000.0,
        rms_norm_eps=1e-6,
    )
    make(
        "qwen2_embedding",
        Qwen2ForCausalLM,
        Qwen2Config,
        append_end=False,
        seed=12,
        max_shard_size="40KB",
        rope_theta=10000.0,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
    )
    if len(sys.argv) > 1:
        make_token_ids(sys.argv[1])
