"""Settings and protocols of few-shot classification. Imports no torch."""

from dataclasses import dataclass

from frostbench.plugins.contract.cards import TaskCard


@dataclass(frozen=True)
class Protocol:
    """A way to ask: how many classes and examples, and how they are shown."""

    ways: int
    shots: int
    induction: bool
    repeats: int

    @property
    def name(self) -> str:
        """The name on the leaderboard.

        >>> Protocol(5, 3, True, 0).name, Protocol(2, 1, False, 2).name
        ('5-way 3-shot induction', '2-way 1-shot 2 repeats')
        """
        name = f"{self.ways}-way {self.shots}-shot"
        if self.induction:
            name += " induction"
        if self.repeats:
            name += f" {self.repeats} repeats"
        return name


@dataclass(frozen=True)
class FewShotSettings:
    """Every combination of `ways`, `shots` and `repeats` is a protocol of its own.

    Attributes:
        ways: Classes of an episode. The papers ask 2 and 5.
        shots: Examples of each class, where the prompt names the options (induction). The papers
            ask 1, 3 and 5; 5 is left out by default because it costs as much as the rest.
        shots_without_induction: The same without induction; empty leaves those protocols out.
        repeats: How many more times the list of examples is shown. The papers ask 0, 1, 3 and 5.
        pictures: Images of each class that episodes draw from, where images are rendered without
            end. The visual tokens of an image that comes again are computed once.
        data: The data set of the pack: `glyph_portraits`, or episode files of mini-ImageNet,
            `v2l_episodes` or `open_ended_episodes`, which a pack names by their folder.
    """

    ways: tuple[int, ...] = (2, 5)
    shots: tuple[int, ...] = (1, 3)
    shots_without_induction: tuple[int, ...] = (1,)
    repeats: tuple[int, ...] = (0,)
    pictures: int = 6
    data: str = "glyph_portraits"

    def __post_init__(self) -> None:
        asked = (*self.shots, *self.shots_without_induction)
        if not self.ways or min(self.ways) < 2:
            raise ValueError(f"ways are numbers of classes, at least 2; they are {self.ways}.")
        if not asked or min(asked) < 1:
            raise ValueError(
                "shots are numbers of examples, at least 1, and there is at least one with or "
                f"without induction; they are {self.shots} and {self.shots_without_induction}."
            )
        if not self.repeats or min(self.repeats) < 0:
            raise ValueError(f"repeats are 0 or more, and at least one; they are {self.repeats}.")
        if self.pictures <= max(asked):
            raise ValueError(
                f"{max(asked)} examples and a query need {max(asked) + 1} images of a class; "
                f"`pictures` is {self.pictures}."
            )

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The ways to ask, those with induction first; each once."""
        asked = [
            Protocol(ways, shots, induction, repeats)
            for induction, counts in ((True, self.shots), (False, self.shots_without_induction))
            for ways in self.ways
            for shots in counts
            for repeats in self.repeats
        ]
        return tuple(dict.fromkeys(asked))


def few_shot_card(settings: FewShotSettings) -> TaskCard:
    """The card of few-shot classification under some settings."""
    return TaskCard(
        name="few_shot_classification",
        suite="understanding",
        request_type="Classify",
        reads="label",
        metrics=("accuracy[exact]", "accuracy[prefix]"),
        # A text that only begins with the label may name another class; the papers' looser scorer
        # stands beside this one.
        ranks_by="accuracy[exact]",
        protocols=tuple(protocol.name for protocol in settings.protocols),
        controls=("chance", "majority_vote", "token_overlap", "shuffled_tokens"),
        summary="name the class of an image from a few labelled ones, on classes never trained on",
    )
