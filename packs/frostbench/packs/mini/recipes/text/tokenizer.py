"""The mini pack's own tokenizers: byte-level BPE, so that any text survives a round trip.

The first serves the language model and the small CLIP's text tower, and V2L takes every entry for a
word. So its training text favours the names of things, each about equally often: with 2,048
entries, those that plain frequency would spend on "returns" and "argument" go to "mailbox" and
"lamp". The second language model reads with a smaller one of its own, trained on the same text: not
every word of the first is a token of the second, as with published models.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from frostbench.packs.mini.recipes.text import corpus as text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 2048  # entries of the first
LONGEST = 2048  # tokens of the longest prompt of mini's language models

_FRAME = "###\nInput: < >\nOutput: "


def train_tokenizer(folder: Path, prose: Sequence[str], vocabulary: int = VOCABULARY) -> None:
    """Train a tokenizer on prose and sentences, and write its two files to `folder`.

    Of its `vocabulary` entries 256 are single bytes and three are special.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_lines(prose), trainer)
    # The models read a text after this token, and the engine adds what a tokenizer adds.
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        padding_side="left",
        model_max_length=LONGEST,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer in `folder`, without asking the network."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _lines(
    prose: Sequence[str],
    sentences: int = 10_000,
    share_of_prose: int = 4,
    paragraphs: int = 50_000,
    per_word: int = 100,
) -> Iterator[str]:
    """Training text: a share of the prose, some sentences, the words of names, the prompt's frame.

    Of long prose about as many `paragraphs` are taken. A word of names occurs `per_word` times the
    root of its count. Words begin with a blank, as in sentences, so that few are learned twice.
    """
    random = Random(0)
    yield from prose[:: max(share_of_prose, len(prose) // paragraphs)]
    for _ in range(sentences):
        yield text.sentence(random)
    counts = Counter(word for name in text.names() for word in name.split())
    for word, count in sorted(counts.items()):
        yield from [f" {word}"] * int(per_word * count**0.5)
    yield from [_FRAME] * 5000
