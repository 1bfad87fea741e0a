"""The pipelines that make texts, beside transformers' on PyTorch."""

import pytest
import transformers

import tfnlp
from tests.tiny import TEXTS, build_tokenizer
from tfnlp.errors import ArgumentError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers' own pipelines
GREEDY = {"do_sample": False, "max_new_tokens": 9}
SPECIFIC = {
    "summarization": {"prefix": "sum: ", "num_beams": 2, "max_length": 12, "min_length": 5},
    "translation_en_to_de": {"prefix": "de: "},
}


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    directory = tmp_path_factory.mktemp("gpt2")
    tokenizer = build_tokenizer("gpt2", directory)
    tokenizer.pad_token = "<pad>"
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }} {% endfor %}"
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=128, vocab_size=len(tokenizer), eos_token_id=2, pad_token_id=1,
        bos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    directory = tmp_path_factory.mktemp("t5")
    tokenizer = build_tokenizer("t5", directory)
    torch.manual_seed(0)
    config = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=len(tokenizer), decoder_start_token_id=0,
        eos_token_id=2, pad_token_id=133, initializer_factor=3.0, task_specific_params=SPECIFIC,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


def test_text_generation(gpt2):
    ours = tfnlp.pipeline("text-generation", gpt2)
    theirs = transformers.pipeline("text-generation", gpt2, framework="pt", device="cpu")
    chat = [{"role": "user", "content": "hi"}]
    for inputs in (TEXTS[0], TEXTS, chat):
        assert ours(inputs, **GREEDY) == theirs(inputs, **GREEDY)
    several = {**GREEDY, "num_beams": 3, "num_return_sequences": 2, "return_full_text": False}
    assert ours(TEXTS[:2], **several) == theirs(TEXTS[:2], **several)
    assert ours(TEXTS[0], seed=1, max_new_tokens=8) != ours(TEXTS[0], seed=2, max_new_tokens=8)  # it samples, as theirs
    with pytest.raises(ArgumentError, match=r"^`max_tokens` is no option of this pipeline\. Did you mean"):
        ours(TEXTS[0], max_tokens=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text2text-generation", "summarization", "translation_en_to_de"])
def test_texts_to_texts(t5, name):
    ours = tfnlp.pipeline(name, t5)
    theirs = transformers.pipeline(name, t5, framework="pt", device="cpu")
    for inputs, options in ((TEXTS[0], {}), (TEXTS, {}), (TEXTS[:2], {"num_beams": 3, "num_return_sequences": 2})):
        assert ours(inputs, **options) == theirs(inputs, **options)
