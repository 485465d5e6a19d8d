"""A SentencePiece BPE model with LLaMA's settings, trained in a second on texts of prompts."""

import io
import json
from functools import cache
from pathlib import Path

from language_models import WORDS

from frostbench.plugins.backbones.tokenizer import TEXTS

SAID = {
    "tokenizer_class": "LlamaTokenizer",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "clean_up_tokenization_spaces": False,
}
PUBLISHED = (
    *("###\nInput: < ", " >\nOutput: ", "\n###", "### Human:", " <Img>", "</Img> "),
    *("\n### Assistant:", "For each of the following input output pairs, output is one of ["),
    *("Learning a new language and predict the 2 tokens following the examples.\n", "glued.word"),
)


@cache
def trained() -> bytes:
    """The model; the same bytes every time."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS, *PUBLISHED, *TEXTS] * 20),
        model_writer=model,
        vocab_size=420,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        character_coverage=0.99,
        pad_id=-1,
        minloglevel=2,
    )
    return model.getvalue()


def write_llama(folder: Path) -> Path:
    """The tokenizer's files in the layout of LLaMA's published folders."""
    (folder / "tokenizer.model").write_bytes(trained())
    (folder / "tokenizer_config.json").write_text(json.dumps(SAID))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return folder
