"""The mini pack's frozen masked language model: a small RoBERTa, trained on text alone.

Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019,
https://arxiv.org/abs/1907.11692. It reads with the pack's own vocabulary, with special tokens where
RoBERTa has them: positions are counted from the id of <pad>, so that a text's first position is 2.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from frostbench.packs.mini.recipes.text.corpus import read_text
from frostbench.packs.mini.recipes.text.exercises import PieceRows
from frostbench.packs.mini.recipes.text.plain_text import PlainText
from frostbench.packs.mini.recipes.text.tokenizer import VOCABULARY, train_tokenizer
from frostbench.plugins.backbones.precision import Precision, rounded, write
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.ahead import Ahead
from frostbench.plugins.parts.training.loop import Stateful, TrainingProgress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FIRST = ("<s>", "<pad>", "</s>", "<unk>")  # RoBERTa's ids 0 to 3
MASK = "<mask>"  # its last id
BEFORE = 2  # positions that no token has: up to and including the id of <pad>


@dataclass(frozen=True)
class MaskedTraining:
    """Sizes and schedule."""

    vocabulary: int = VOCABULARY  # of the language model's tokenizer, if the pack has none yet
    width: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 512
    spread: float = 0.05  # standard deviation of initial weights
    waves: float = 0.5  # length of the waves that positions start as; 0: they start at random
    longest: int = 128  # tokens of the longest row, <s> and </s> included
    shortest: int = 64
    tokens: int = 2048  # a step
    masked: float = 0.15  # share of tokens to be guessed
    hidden: float = 0.8  # of those, the share shown as <mask>
    replaced: float = 0.1  # of those, the share shown as a random token; the rest is shown as it is
    steps: int = 2500
    minutes: float = 30.0
    rate: float = 2e-3  # AdamW's, at its highest
    decay: float = 0.01
    warm_up: float = 0.1  # share of the steps
    precision: Precision = "byte"  # of the weights, once trained
    log_every: int = 50
    figures_rows: int = 128  # rows of held-out text for each figure


def train(workshop: Workshop) -> Report:
    """Train the model and write it to `pack/mlm` as a folder of transformers."""
    settings = read_settings(MaskedTraining, workshop.settings, "mlm")
    folder = workshop.pack / "mlm"
    prose = read_text(workshop)
    if not (workshop.pack / "llm" / "tokenizer.json").exists():
        train_tokenizer(workshop.pack / "llm", prose, settings.vocabulary)
    tokenizer = masked_tokenizer(workshop.pack / "llm")
    torch.manual_seed(workshop.seed)
    model = build(settings, tokenizer).to(workshop.device)
    rows = MaskedRows(tokenizer, prose, settings, workshop.seed)
    coming = Ahead(rows.make, workshop.workers, settings.steps)
    optimiser = torch.optim.AdamW(
        model.parameters(), settings.rate, betas=(0.9, 0.98), weight_decay=settings.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, settings.steps, pct_start=settings.warm_up
    )

    def step(index: int) -> dict[str, float]:
        batch = coming(index)
        loss, right = guess(model, batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        return {"loss": loss.item(), "right": right.item()}

    def stop(progress: TrainingProgress) -> bool:
        return progress.seconds > 60 * settings.minutes

    parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "schedule": schedule}
    often = {"log_every": settings.log_every, "save_every": 2 * settings.log_every}
    progress = recipe.train(workshop, "mlm", parts, step, settings.steps, stop=stop, **often)
    rounded(model, settings.precision)
    save(model, tokenizer, folder, settings.precision)
    figures = measure(model, rows, settings)
    workshop.log(f"mlm: {json.dumps(figures)}")
    history = tuple(progress.history)
    return Report(progress.step, progress.seconds, figures, history, asdict(settings))


@dataclass(frozen=True, eq=False)
class MaskedBatch:
    """Rows of text: the originals, what is shown, and where tokens are to be guessed."""

    ids: Int[Tensor, "rows n"]
    shown: Int[Tensor, "rows n"]
    asked: Bool[Tensor, "rows n"]


class MaskedRows:
    """Makes batches by number, the same for the same seed."""

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerFast",
        prose: Sequence[str],
        settings: MaskedTraining,
        seed: int,
    ) -> None:
        self._reader = PlainText(PieceRows(tokenizer), prose)
        self._settings, self._seed = settings, seed
        self._end, self._mask = tokenizer.eos_token_id, tokenizer.mask_token_id

    def make(self, index: int) -> MaskedBatch:
        """Batch number `index` of the training; its rows are equally long."""
        settings = self._settings
        random = Random(f"{self._seed} {index}")
        length = settings.longest
        while length // 2 >= settings.shortest and random.random() < 2 / 3:
            length //= 2
        ids = self.read(random, max(1, settings.tokens // length), length)
        draw = torch.Generator().manual_seed(random.getrandbits(62))
        asked = self.asked(ids, settings.masked, draw)
        lot = torch.rand(ids.shape, generator=draw)
        strange = torch.randint(len(FIRST), self._mask, ids.shape, generator=draw)
        shown = torch.where(asked & (lot < settings.hidden), self._mask, ids)
        replaced = asked & (lot >= 1 - settings.replaced)
        return MaskedBatch(ids, torch.where(replaced, strange, shown), asked)

    def held_out(self, share: float) -> MaskedBatch:
        """Rows of held-out prose and new sentences, a share of the tokens shown as <mask>."""
        settings = self._settings
        ids = self.read(Random(0), settings.figures_rows, settings.longest, held_out=True)
        asked = self.asked(ids, share, torch.Generator().manual_seed(0))
        return MaskedBatch(ids, torch.where(asked, self._mask, ids), asked)

    def read(
        self, random: Random, rows: int, length: int, *, held_out: bool = False
    ) -> Int[Tensor, "rows n"]:
        """Rows of text, each from <s> to </s>."""
        read = [self._reader.row(random, length - 1, held_out=held_out).ids for _ in range(rows)]
        return torch.tensor([[*row, self._end] for row in read])

    def asked(
        self, ids: Int[Tensor, "rows n"], share: float, draw: torch.Generator
    ) -> Bool[Tensor, "rows n"]:
        """Which tokens are to be guessed: each equally likely, but never <s> and </s>."""
        asked = torch.rand(ids.shape, generator=draw) < share
        return asked & (ids >= len(FIRST))


def guess(model: Any, batch: MaskedBatch) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The mean loss of the tokens to be guessed, and the share that was guessed right."""
    device = next(model.parameters()).device
    shown, asked = batch.shown.to(device), batch.asked.to(device)
    with torch.autocast(device.type, torch.bfloat16):
        hidden = model.roberta(input_ids=shown).last_hidden_state
        logits = model.lm_head(hidden[asked]).float()
    wanted = batch.ids.to(device)[asked]
    return functional.cross_entropy(logits, wanted), (logits.argmax(-1) == wanted).float().mean()


@torch.no_grad()
def measure(model: Any, rows: MaskedRows, settings: MaskedTraining) -> dict[str, float]:
    """Accuracy and perplexity of masked tokens in held-out text, at two shares of masked ones."""
    model.eval()
    figures = {}
    for share in (settings.masked, 0.5):
        loss, right = guess(model, rows.held_out(share))
        figures[f"masked accuracy [{share:.0%}]"] = right.item()
        figures[f"perplexity [{share:.0%}]"] = loss.exp().item()
    return figures


def build(settings: MaskedTraining, tokenizer: "PreTrainedTokenizerFast") -> Any:
    """A new RoBERTa of transformers, without dropout."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    model = RobertaForMaskedLM(
        RobertaConfig(
            vocab_size=len(tokenizer),
            hidden_size=settings.width,
            intermediate_size=settings.inner,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            max_position_embeddings=settings.longest + BEFORE,
            type_vocab_size=1,
            initializer_range=settings.spread,
            layer_norm_eps=1e-5,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    if settings.waves:
        table = model.roberta.embeddings.position_embeddings.weight.data
        table[BEFORE:] = settings.waves * waves(settings.longest, settings.width)
    return model


def waves(positions: int, width: int) -> Float[Tensor, "n d"]:
    """Sines and cosines of positions, rows of length 1: a shift by some places is a rotation."""
    frequencies = torch.logspace(0, -3, width // 2 + 1)[:-1]
    angles = torch.arange(positions)[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), 1) / math.sqrt(width // 2)


def masked_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """The language model's vocabulary in RoBERTa's order: four special tokens, words, <mask>.

    Raises:
        ValueError: the pack's tokenizer does not begin with its three special tokens.
    """
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    special = {token["content"]: token["id"] for token in content["added_tokens"]}
    if special != {"<pad>": 0, "<bos>": 1, "<eos>": 2}:
        raise ValueError(f"{path} must have <pad>, <bos> and <eos>, and no other, as ids 0 to 2.")
    words = sorted(content["model"]["vocab"].items(), key=lambda item: item[1])[len(special) :]
    vocabulary = [*FIRST, *(word for word, _ in words), MASK]
    content["model"]["vocab"] = {word: place for place, word in enumerate(vocabulary)}
    content["model"]["unk_token"] = "<unk>"
    like = content["added_tokens"][0]
    content["added_tokens"] = [
        {**like, "content": word, "id": vocabulary.index(word)} for word in (*FIRST, MASK)
    ]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        mask_token=MASK,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def save(
    model: Any, tokenizer: "PreTrainedTokenizerFast", folder: Path, precision: Precision
) -> None:
    """Write configuration, tokenizer and, last and atomically, weights."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.model_max_length = model.config.max_position_embeddings - BEFORE
    tokenizer.save_pretrained(folder)
    model.config.dtype = "float16"
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    tied = set(model.all_tied_weights_keys)
    kept = {name: tensor for name, tensor in model.state_dict().items() if name not in tied}
    write(folder / "model.safetensors", kept, precision)
