"""A SentencePiece model as a fast tokenizer that gives the same ids and texts."""

from pathlib import Path
from typing import Any

SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")
BLANK = "\u2581"  # what SentencePiece writes for a blank


def sentencepiece_at(path: Path) -> Any | None:
    """The SentencePiece model in a file; None where the file holds something else."""
    from sentencepiece import SentencePieceProcessor

    try:
        return SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError):
        return None


def converted(path: Path, pieces: Any, said: dict[str, Any]) -> Any:
    """A tokenizer of transformers over a SentencePiece BPE model.

    `said` is what the folder's `tokenizer_config.json` says: names of special tokens, and whether
    one is put first (as LLaMA's does, if nothing is said).

    Raises:
        ValueError: the model is not BPE, normalises texts, or has user-defined symbols.
    """
    import transformers
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Tokenizer, models, processors

    protocol: Any = sentencepiece_model_pb2
    model = protocol.ModelProto()
    model.ParseFromString(path.read_bytes())
    trainer, normalizer = model.trainer_spec, model.normalizer_spec
    own = any(piece.type == piece.USER_DEFINED for piece in model.pieces)
    if trainer.model_type != trainer.BPE or normalizer.name != "identity" or own:
        raise ValueError(
            f"{path} is a SentencePiece model that is not, as LLaMA's, BPE without normalisation "
            "or symbols of its user's; save its tokenizer as tokenizer.json with the library it "
            "was made for."
        )
    vocabulary = {pieces.id_to_piece(i): i for i in range(pieces.vocab_size())}
    unknown = pieces.id_to_piece(pieces.unk_id())
    made = Tokenizer(
        models.BPE(
            vocabulary,
            _merges(pieces, vocabulary),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=bool(trainer.byte_fallback),
        )
    )
    _read_as_sentencepiece(made, dummy=bool(normalizer.add_dummy_prefix))
    names = {key: _content(said[key]) for key in SPECIAL if said.get(key)}
    names.setdefault("unk_token", unknown)
    for key, number in (("bos_token", pieces.bos_id()), ("eos_token", pieces.eos_id())):
        if number >= 0:
            names.setdefault(key, pieces.id_to_piece(number))
    if said.get("add_bos_token", True) and "bos_token" in names:
        bos = names["bos_token"]
        made.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, vocabulary[bos])]
        )
    kept = {key: said[key] for key in ("model_max_length", "padding_side") if key in said}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, clean_up_tokenization_spaces=False, **names, **kept
    )


def _read_as_sentencepiece(tokenizer: Any, dummy: bool) -> None:
    """Write blanks as SentencePiece does; with `dummy`, add one before a text and remove it after.

    The blank is added to every text, even one that begins with a blank.
    """
    from tokenizers import decoders, normalizers

    before = [normalizers.Prepend(BLANK)] if dummy else []
    tokenizer.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", BLANK)])
    after = [decoders.Strip(" ", 1, 0)] if dummy else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse(), *after]
    )


def _merges(pieces: Any, vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """The pairs that SentencePiece joins, in its order: those whose joint piece scores best first.

    Among equal scores the piece that came first in the model goes first; among one piece's pairs,
    the pair with the earlier parts.
    """
    found = []
    for piece, number in vocabulary.items():
        if pieces.is_control(number) or pieces.is_byte(number) or pieces.is_unknown(number):
            continue
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in vocabulary and right in vocabulary:
                order = (-pieces.get_score(number), number, vocabulary[left], vocabulary[right])
                found.append((order, (left, right)))
    return [pair for _, pair in sorted(found)]


def _content(token: Any) -> str:
    """The text of a special token, which configurations give as it is or with settings."""
    return str(token["content"]) if isinstance(token, dict) else str(token)
