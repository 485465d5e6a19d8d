import shutil
from dataclasses import replace

import pytest
import torch
import transformers
from visionllm_world import TINY, toy_llm

from frostbench.baselines.visionllm.method import VisionLLMMethod
from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.recipe import begun
from frostbench.baselines.visionllm.settings import VisionLLMSettings
from frostbench.baselines.visionllm.text import bert_sizes, load_bert, tokenizer_reader
from frostbench.baselines.visionllm.toy import TOY, TOY_WORDING
from frostbench.baselines.visionllm.weights import TEXT, save
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter
from frostbench.plugins.contract.detection import Detect
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.kit import toys

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*SPECIAL, "find", "owl", "cat", "##s", "in", "{", "}", '"', ":", ",", "a", "b"]
LONGEST = 20


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """The folder of a tiny random BERT with a WordPiece tokenizer."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    tokenizer = transformers.BertTokenizer.from_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(PIECES),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=LONGEST,
    )
    with toys.seeded(3):
        transformers.BertForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def start(bert):
    """A model of toy sizes as training begins it from the BERT, and its reader."""
    settings = replace(TINY, sizes=replace(TOY, llm_width=32), bert=str(bert))
    with toys.seeded():
        return begun(settings, toy_llm(), "cpu")


@pytest.fixture(scope="module")
def stored(start, tmp_path_factory):
    _, model, reader = start
    folder = tmp_path_factory.mktemp("visionllm")
    save(
        folder, model, TOY_WORDING, new_adapter(toys.backbones().get("llm"), LoraSettings()), reader
    )
    return folder


def test_training_begins_as_the_bert_and_reads_its_tokens(bert, start):
    settings, model, reader = start
    assert settings.sizes.text == model.settings.text
    assert settings.sizes.text.longest == LONGEST
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    for text in ("find owls", "a cat in {b}"):
        assert reader.ids([text], LONGEST) == tokenizer(text)["input_ids"]
    whole = transformers.BertModel.from_pretrained(bert, add_pooling_layer=False).eval()
    ids = torch.tensor([reader.ids(["find owls", "cat"], LONGEST)])
    with torch.no_grad():
        wanted = whole(ids).last_hidden_state
        assert torch.equal(model.tokenizer.text.eval()(ids).last_hidden_state, wanted)


def test_a_long_prompt_keeps_what_closes_it(start):
    _, _, reader = start
    ids = reader.ids(["owl "] * 50, LONGEST)
    assert len(ids) == LONGEST
    assert (ids[0], ids[-1]) == (PIECES.index("[CLS]"), PIECES.index("[SEP]"))


def test_what_is_built_reads_the_text_encoders_own_tokens(stored, start):
    _, _, reader = start
    built = VisionLLMMethod.build(Setup(toys.backbones(), stored, {"points": 6}))
    assert len(PIECES) < toys.backbones().get("llm").vocabulary_size
    image = Image(torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0)), "noise")
    request = Detect("d", image, ("owl", "cat"))
    tokens = {image: built.tokenize(image.pixels[None], torch.tensor([image.size]))}
    read = []
    see = built._model.see
    built._model.see = lambda maps, ids, mask: read.append(ids) or see(maps, ids, mask)
    (outcome,) = drive([built.prompt(request, tokens)], toys.engine())
    assert outcome.error is None
    (parts,) = [one.parts for one in built._instructions.of_classes(request)]
    texts = [part for part in parts if isinstance(part, str)]
    assert read[0].tolist() == [reader.ids(texts, LONGEST)]


def test_a_text_encoder_whose_tokenizer_is_gone_is_refused(stored, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(stored, folder)
    shutil.rmtree(folder / TEXT)
    with pytest.raises(ValueError, match="in the folder text_tokenizer beside the weights"):
        VisionLLMMethod.build(Setup(toys.backbones(), folder, {"points": 6}))


def test_only_a_bert_becomes_the_text_encoder(tmp_path):
    mlm = toys.mlm()
    mlm.model.save_pretrained(tmp_path)
    mlm.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"the text encoder is a BERT, and {tmp_path} holds a "):
        load_bert(str(tmp_path))


def test_the_published_bert_fills_the_published_text_encoder():
    with torch.device("meta"):
        published = transformers.BertForMaskedLM(transformers.BertConfig())
        own = VisionLLM(VisionLLMSettings()).tokenizer.text
    assert bert_sizes(published.config) == VisionLLMSettings().text
    shapes = {name: tensor.shape for name, tensor in own.state_dict().items()}
    given = {name: tensor.shape for name, tensor in published.base_model.state_dict().items()}
    assert given == shapes


def test_a_tokenizer_that_adds_nothing_stands_alone():
    reader = tokenizer_reader(toys.backbones().get("llm").tokenizer, "a language model's")
    assert reader.closing == ()
