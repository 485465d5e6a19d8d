"""V2L's vocabularies: expansion by the LLM, CLIP's embeddings, votes of images.

Step 1 turns each token of the LLM into a word, a pair and a triple; step 2 embeds these texts with
CLIP; step 3 keeps those that are near to training images. The local vocabulary is the tokens
themselves, in the order of their ids; the global one is what step 3 keeps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.templates import embed_words, or_imagenet


@dataclass(frozen=True)
class VocabularySettings:
    """Choices of the three steps; the defaults are those of the published code.

    `template` is what the LLM continues. `keep_spaces` glues a token that begins a new word with
    its blank; as published, decoding one token loses it ("redapple"). `prompts` are the texts whose
    CLIP embeddings are averaged; empty stands for the 80 of OpenAI's ImageNet evaluation.
    `renormalise` puts the averages back on the unit sphere. Step 3 gives each image's `nearest`
    texts a vote and keeps those with more than `more_than` (the paper keeps every text with any
    vote: 0). `merge_equal` counts texts that differ only in case and outer blanks as one, and
    leaves out the empty text.
    """

    template: str = "a photo of {}"
    keep_spaces: bool = False
    prompts: tuple[str, ...] = ()
    renormalise: bool = False
    nearest: int = 5
    more_than: int = 100
    merge_equal: bool = False


@dataclass(frozen=True)
class Expansion:
    """For each token of the LLM, in the order of ids: its text, and the two that follow it."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    third: tuple[str, ...]

    def texts(self) -> tuple[str, ...]:
        """All words, then all pairs, then all triples."""
        pairs = tuple(a + b for a, b in zip(self.first, self.second, strict=True))
        triples = tuple(a + b for a, b in zip(pairs, self.third, strict=True))
        return self.first + pairs + triples


@torch.no_grad()
def expand(model: Any, tokenizer: Any, settings: VocabularySettings, batch: int = 64) -> Expansion:
    """Step 1: continue the template with each token by two greedy tokens, one at a time.

    `model` is a causal language model of transformers and `tokenizer` its own. An end of sequence,
    like any special token, gives an empty text; of equally likely tokens the lowest id is taken.
    """
    decode = _decoder(tokenizer, settings.keep_spaces)
    first = [decode(i) for i in range(len(tokenizer))]
    second: list[str] = []
    third: list[str] = []
    for start in range(0, len(first), batch):
        words = first[start : start + batch]
        follow = [decode(i) for i in _next(model, tokenizer, words, settings.template)]
        pairs = [a + b for a, b in zip(words, follow, strict=True)]
        second += follow
        third += [decode(i) for i in _next(model, tokenizer, pairs, settings.template)]
    return Expansion(tuple(first), tuple(second), tuple(third))


def _decoder(tokenizer: Any, keep_spaces: bool) -> Any:
    def decode(token: int) -> str:
        text = cast(str, tokenizer.decode([token], skip_special_tokens=True))
        if not keep_spaces:
            return text.removeprefix(" ")
        # A sentencepiece decoder drops the blank that its token stands for.
        piece = tokenizer.convert_ids_to_tokens(token)
        begins = text and str(piece).startswith("▁") and not text.startswith(" ")
        return f" {text}" if begins else text

    return decode


def _next(model: Any, tokenizer: Any, words: Sequence[str], template: str) -> list[int]:
    """The most likely next token of each filled template, after the beginning of sequence."""
    prompts = [tokenizer(template.format(word.strip())).input_ids for word in words]
    begin = tokenizer.bos_token_id
    if begin is not None:
        prompts = [ids if ids[:1] == [begin] else [begin, *ids] for ids in prompts]
    lengths = torch.tensor([len(ids) for ids in prompts])
    padded = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long)
    for row, ids in zip(padded, prompts, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    mask = torch.arange(padded.shape[1]) < lengths[:, None]
    device = model.device
    logits = model(
        input_ids=padded.to(device), attention_mask=mask.long().to(device), use_cache=False
    ).logits
    last = logits[torch.arange(len(prompts)), (lengths - 1).to(device)].float()
    return cast(list[int], last[:, : len(tokenizer)].argmax(-1).tolist())


def prompts_of(settings: VocabularySettings) -> tuple[str, ...]:
    """The texts around a word that CLIP reads, with `{}` where the word goes."""
    return or_imagenet(settings.prompts)


def embed(
    clip: Clip, texts: Sequence[str], settings: VocabularySettings, batch: int = 256
) -> Float[Tensor, "n d"]:
    """Step 2: CLIP's embedding of each text, averaged over the prompts.

    Each prompt's embedding has length 1; their average is shorter, and stays so unless the
    settings renormalise it.
    """
    distinct = list(dict.fromkeys(texts))
    table = embed_words(clip, distinct, prompts_of(settings), batch)
    if settings.renormalise:
        table = functional.normalize(table)
    rows = {text: row for row, text in enumerate(distinct)}
    return table[torch.tensor([rows[text] for text in texts])]


def candidates(texts: Sequence[str], settings: VocabularySettings) -> list[int]:
    """The rows that images vote on: all, or one row of each group of equal texts."""
    if not settings.merge_equal:
        return list(range(len(texts)))
    seen: dict[str, int] = {}
    for row, text in enumerate(texts):
        seen.setdefault(text.strip().lower(), row)
    seen.pop("", None)
    return sorted(seen.values())


@torch.no_grad()
def votes(
    features: Iterable[Float[Tensor, "_b d"]], table: Float[Tensor, "n d"], nearest: int
) -> Int[Tensor, " n"]:
    """Step 3: how many images have each text among their `nearest` by dot product.

    `features` are batches of CLIP's image features; they are normalised here.

    Raises:
        ValueError: there are fewer texts than votes an image.
    """
    if len(table) < nearest:
        raise ValueError(f"every image votes for {nearest} texts, and there are {len(table)}.")
    counts = torch.zeros(len(table), dtype=torch.long)
    for batch in features:
        products = functional.normalize(batch.float()) @ table.T.float()
        counts += products.topk(nearest, dim=1).indices.flatten().bincount(minlength=len(table))
    return counts


def elect(counts: Int[Tensor, " n"], settings: VocabularySettings) -> list[int]:
    """The rows with more votes than the settings ask for, in their order.

    Raises:
        ValueError: there is none.
    """
    kept = (counts > settings.more_than).nonzero().flatten().tolist()
    if not kept:
        raise ValueError(
            f"no text got more than {settings.more_than} votes; the most were "
            f"{int(counts.max())}. Use more images, or ask for fewer votes."
        )
    return cast(list[int], kept)
