"""The cards of the suites' controls. What each of them changes is in `changes.py`."""

from frostbench.plugins.contract.cards import ControlCard

_RECONSTRUCTS = {"Restore": "Reconstruct"}

CARDS = (
    ControlCard("chance", "a seeded, uniform guess among the options"),
    ControlCard("copy", "the corrupted image, handed back as it came", drawn=True),
    ControlCard("mean_colour", "the image's mean colour everywhere"),
    ControlCard(
        "mean_fill", "the corrupted image, hidden pixels in the mean colour of the visible ones"
    ),
    ControlCard(
        "majority_vote",
        "the method's own prompts answered without a language model: position by position the "
        "most frequent answer of the in-context examples",
        in_context=True,
    ),
    ControlCard(
        "token_overlap",
        "the method's own prompts answered without a language model: the answer of the in-context "
        "example that shares most visual tokens with the query",
        in_context=True,
        discrete=True,
    ),
    ControlCard(
        "shuffled_tokens", "the method with each image's visual tokens exchanged for another's"
    ),
    ControlCard(
        "other_image",
        "the method with the asked image's visual tokens exchanged for another's, while the "
        "in-context examples keep their own",
    ),
    ControlCard(
        "no_image",
        "the method's own prompts with every image left out, answered by the same language model",
    ),
    ControlCard(
        "no_adapter",
        "the method's own prompts answered by the frozen model without its adapter",
        adapter=True,
    ),
    ControlCard("class_name", "the name of the image's class as its only word"),
    ControlCard(
        "no_llm", "the method with a map of its own in place of the language model", drawn=True
    ),
    ControlCard(
        "floor",
        "the method's own reconstruction of the corrupted image",
        drawn=True,
        answers=_RECONSTRUCTS,
    ),
    ControlCard(
        "ceiling",
        "the method's own reconstruction of the clean image",
        ceiling=True,
        drawn=True,
        answers=_RECONSTRUCTS,
    ),
    ControlCard("whole_image", "the whole image, whatever is asked for"),
    ControlCard("centre_box", "a box of half the image's sides in its middle, whatever the phrase"),
    ControlCard("random_box", "a box between two corners that are drawn evenly"),
    ControlCard(
        "oracle_boxes_random_classes",
        "the true boxes or masks, each with a class drawn evenly from the named ones",
    ),
    ControlCard(
        "shuffled_classes",
        "the method asked for the classes in another order, and each class that it answers "
        "replaced by the one in its place: what it finds stays, and what it means is wrong",
    ),
    ControlCard(
        "every_query",
        "the method without its choice of what is a thing: all that it might have found",
    ),
    ControlCard(
        "fixed_prompt",
        "the method asked in one fixed wording, with nothing drawn at random",
    ),
    ControlCard(
        "shuffled_words", "the method asked for each phrase in the words of another image's"
    ),
    ControlCard(
        "oracle_box",
        "the method told the true box, which it refines to a mask or looks at again",
        ceiling=True,
        answers={"Segment": "Refine", "Ground": "Refine", "Reason": "Reason"},
    ),
    ControlCard("always_yes", "yes, whatever the question"),
    ControlCard(
        "bare_lmm",
        "the same requests put to the frozen multimodal model, without the method",
        ceiling=True,
    ),
)
