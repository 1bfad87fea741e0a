"""The loop over transformers' heads, against PyTorch's `generate` of each prompt alone."""

import pytest

from tests.generation.references import CAUSAL, END, SEQ2SEQ, build_reference, check, prompts_of
from tests.marks import slow_case
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.generation.heads import Seq2SeqDecoder, decoder_of

pytest.importorskip("torch")
# Of transformers' own code, which builds some heads with them.
pytestmark = pytest.mark.filterwarnings("ignore:`TFSharedEmbeddings`", "ignore:The initializer")
QUICK = ("gpt2", "t5")


OWN = ("llama", "qwen2", "qwen3")  # families without a head of transformers


def cases(architectures):
    return [name if name in QUICK else slow_case(name) for name in architectures if name not in OWN]


@pytest.mark.parametrize("architecture", cases(CAUSAL))
def test_causal_heads(architecture, tmp_path):
    reference = build_reference(architecture, tmp_path / "model")
    decoder = decoder_of(AutoHead("TFAutoModelForCausalLM").from_pretrained(tmp_path / "model"), room=64)
    prompts = prompts_of(50)
    check(reference, decoder, prompts, max_new_tokens=12)
    check(reference, decoder, prompts, max_new_tokens=12, num_beams=4, num_return_sequences=2)
    check(reference, decoder, prompts[:1], max_new_tokens=12)


@pytest.mark.parametrize("architecture", cases(SEQ2SEQ))
def test_heads_with_an_encoder(architecture, tmp_path):
    reference = build_reference(architecture, tmp_path / "model")
    head = AutoHead("TFAutoModelForSeq2SeqLM").from_pretrained(tmp_path / "model")
    decoder = Seq2SeqDecoder(head, head.config.decoder_start_token_id, 64)
    prompts = prompts_of(50, end=(END,))
    check(reference, decoder, prompts, max_new_tokens=12)
    check(reference, decoder, prompts, max_new_tokens=12, num_beams=4, num_return_sequences=2)
    check(reference, decoder, prompts[:1], max_new_tokens=12)


@pytest.mark.parametrize(
    "options",
    [
        {"early_stopping": True, "length_penalty": 2.0},
        {"early_stopping": "never", "length_penalty": 0.5, "num_return_sequences": 4},
        {"early_stopping": "never", "length_penalty": -1.0, "min_new_tokens": 3},
        {"max_length": 12, "no_repeat_ngram_size": 2, "repetition_penalty": 1.5},
        {"num_beams": 1, "max_length": 16, "min_length": 14, "bad_words_ids": [[5], [7, 8]], "forced_eos_token_id": 3},
        {"num_beams": 1, "no_repeat_ngram_size": 1, "suppress_tokens": [9, 10], "begin_suppress_tokens": [11, 3]},
    ],
    ids=str,
)
def test_options(options, tmp_path):
    reference = build_reference("gpt2", tmp_path / "model")
    decoder = decoder_of(AutoHead("TFAutoModelForCausalLM").from_pretrained(tmp_path / "model"), room=64)
    lengths = {} if "max_length" in options else {"max_new_tokens": 10}
    check(reference, decoder, prompts_of(20), **{"num_beams": 4, **lengths, **options})
