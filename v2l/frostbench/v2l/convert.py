"""Official V2L-Tokenizer files as a folder of weights: checkpoint and vocabularies."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.published import read_torch, state_of, without
from frostbench.plugins.contract.converter import Conversion, Converted
from frostbench.plugins.parts.autoencoder.sizes import network_of
from frostbench.plugins.parts.prompting.shared_vocabulary import same_vocabulary
from frostbench.plugins.parts.training import folder as stored
from frostbench.v2l.checkpoint import SKIPPED, TOWER
from frostbench.v2l.codebook import read_vocabulary, save_words
from frostbench.v2l.model import V2LSettings, V2LTokenizer


def convert(conversion: Conversion) -> Converted:
    """Read the tokenizer's checkpoint and both vocabularies.

    Raises:
        ValueError: a file cannot be read, is no V2L-Tokenizer, or does not fit another.
    """
    path = conversion.files["checkpoint"]
    state = state_of(read_torch(path), ("state_dict", "model"), path)
    kept = without(state, SKIPPED)
    settings = stored.override(
        sizes_of(kept, str(path)), conversion.settings, "frostbench convert v2l"
    )
    model = V2LTokenizer(settings)
    weights.fill(model, kept, str(path))
    local, note = _local_words(conversion)
    file = conversion.files["global_words"]
    global_ = read_vocabulary(file)
    source = conversion.files.get("local_words") or conversion.files["llm"]
    for name, words, where, rows in (
        ("local", local, source, settings.local_words),
        ("global", global_, file, settings.global_words),
    ):
        if len(words) != rows:
            raise ValueError(
                f"the {name} vocabulary in {where} has {len(words)} words, and the codebook in "
                f"{path} {rows} rows; they are not of one training."
            )
    stored.save(conversion.out, settings, model.state_dict(), conversion.precision)
    save_words(conversion.out, local, global_)
    tower = sum(name.startswith(TOWER) for name in state)
    left = (
        f"{len(state) - len(kept)} tensors were left out: {tower} of the CLIP tower, which the "
        "pack's own CLIP takes the place of, and what only the training needs.",
    )
    return Converted(kept, left, note)


def sizes_of(state: Mapping[str, Tensor], source: str) -> V2LSettings:
    """The settings of a state dict, as far as shapes tell.

    The heads of the decoder's cross-attention, whether features are normalised, and how many global
    words an image has are not told by shapes; they are as published.

    Raises:
        ValueError: it is none of a V2L-Tokenizer.
    """
    try:
        local, global_ = state["tok_embeddings.weight"], state["tok_embeddings_global.weight"]
        return V2LSettings(
            network_of(state),
            local_words=len(local),
            global_words=len(global_),
            embed_width=local.shape[1],
            global_tokens=min(V2LSettings.global_tokens, len(global_)),
            projection="codebook_projection.weight" in state,
        )
    except KeyError as error:
        raise ValueError(f"{source} is no V2L-Tokenizer: it has no tensor {error}.") from None


def _local_words(conversion: Conversion) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The local words by id, of the official file or of the language model, and where from."""
    file, llm = conversion.files.get("local_words"), conversion.files.get("llm")
    tokens = None if llm is None else _tokens(llm)
    if file is None:
        if tokens is None or llm is None:
            raise ValueError(
                "the local words are the tokens of the language model: give local_words=FILE "
                "(local_vocabulary.npy) or llm=FOLDER, the folder of its tokenizer."
            )
        return tokens, (f"The local words are the {len(tokens):,} tokens of {llm.name}.",)
    words = read_vocabulary(file)
    if tokens is not None and not same_vocabulary(words, tokens):
        raise ValueError(
            f"the words of {file} are those of another language model than the tokens of {llm}."
        )
    return words, ()


def _tokens(llm: Path) -> tuple[str, ...]:
    from frostbench.plugins.backbones.pretrained import read_tokenizer

    tokenizer = read_tokenizer(BackboneEntry("llm", "causal_lm", str(llm)))
    return tuple(
        str(tokenizer.decode([number], clean_up_tokenization_spaces=False))
        for number in range(len(tokenizer))
    )
