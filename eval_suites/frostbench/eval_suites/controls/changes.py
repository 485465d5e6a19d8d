"""What each of the suites' controls changes, by the control's name."""

from frostbench.eval_suites.controls import classes, oracle, rewrites, shuffle, words
from frostbench.eval_suites.controls.ceiling import clean_image
from frostbench.eval_suites.controls.engines import MajorityVote, TokenOverlap
from frostbench.eval_suites.controls.floor import corrupted_image
from frostbench.plugins.contract.control import (
    NoMethod,
    OtherEngine,
    OtherImage,
    OtherPrompt,
    OtherRequest,
    OtherTokens,
    StandIn,
)

majority_vote = OtherEngine(MajorityVote())
token_overlap = OtherEngine(TokenOverlap())
no_image = OtherPrompt(rewrites.without_images)
no_adapter = OtherPrompt(rewrites.without_adapter)
shuffled_tokens = OtherTokens(shuffle.exchange)
other_image = OtherImage(shuffle.other_images)
ceiling = OtherRequest(lambda instance, _: clean_image(instance))
floor = OtherRequest(lambda instance, _: corrupted_image(instance))
oracle_box = OtherRequest(lambda instance, _: oracle.true_boxes(instance))
shuffled_words = OtherRequest(
    lambda instance, company: words.shuffled(instance.request, company.phrases, company.seed),
    lambda said, instance, _: words.in_own_words(said, instance.request),
)
shuffled_classes = OtherRequest(
    lambda instance, company: classes.reordered(instance.request, company.seed),
    lambda said, instance, company: classes.exchanged(said, instance.request, company.seed),
)
no_llm = bare_lmm = every_query = fixed_prompt = StandIn()
chance = copy = mean_colour = mean_fill = class_name = NoMethod()
whole_image = centre_box = random_box = always_yes = NoMethod()
oracle_boxes_random_classes = NoMethod()
