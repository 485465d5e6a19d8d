"""What each control is, in one sentence, for the manifest and the leaderboard. Imports nothing."""

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "chance": "a seeded, uniform guess among the options",
    "copy": "the corrupted image, handed back as it came",
    "mean_colour": "the image's mean colour everywhere",
    "mean_fill": "the corrupted image, hidden pixels in the mean colour of the visible ones",
    "majority_vote": (
        "the method's own prompts answered without a language model: position by position the "
        "most frequent answer of the in-context examples"
    ),
    "token_overlap": (
        "the method's own prompts answered without a language model: the answer of the in-context "
        "example that shares most visual tokens with the query"
    ),
    "shuffled_tokens": "the method with each image's visual tokens exchanged for another's",
    "other_image": (
        "the method with the asked image's visual tokens exchanged for another's, while the "
        "in-context examples keep their own"
    ),
    "no_image": (
        "the method's own prompts with every image left out, answered by the same language model"
    ),
    "no_adapter": "the method's own prompts answered by the frozen model without its adapter",
    "class_name": "the name of the image's class as its only word",
    "no_llm": "the method with a map of its own in place of the language model",
    "floor": "the method's own reconstruction of the corrupted image",
    "ceiling": "the method's own reconstruction of the clean image",
    "whole_image": "every pixel of the image, whatever the phrase",
    "centre_box": "a box of half the image's sides in its middle, whatever the phrase",
    "shuffled_words": "the method asked for each phrase in the words of another image's",
    "oracle_box": "the method told the true box, which it refines to a mask or looks at again",
    "always_yes": "yes, whatever the question",
    "bare_lmm": "the same requests put to the frozen multimodal model, as if there were no method",
}
