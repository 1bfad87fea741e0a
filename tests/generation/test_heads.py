"""The loop over transformers' heads, against PyTorch's `generate` of each prompt alone."""

import pytest

from tests.generation.references import CAUSAL, END, SEQ2SEQ, build_reference, check, prompts_of
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.generation.heads import Seq2SeqDecoder, decoder_of

pytest.importorskip("torch")
# Of transformers' own code, which builds some heads with them.
pytestmark = [
    pytest.mark.slow,  # the quick tests run networks of our own
    pytest.mark.filterwarnings("ignore:`TFSharedEmbeddings`", "ignore:The initializer"),
]


OWN = ("llama", "qwen2", "qwen3")  # families without a head of transformers


@pytest.mark.parametrize("architecture", [name for name in CAUSAL if name not in OWN])
def test_causal_heads(architecture, tmp_path):
    reference = build_reference(architecture, tmp_path / "model")
    decoder = decoder_of(AutoHead("TFAutoModelForCausalLM").from_pretrained(tmp_path / "model"), room=64)
    prompts = prompts_of(50)
    check(reference, decoder, prompts, max_new_tokens=12)
    check(reference, decoder, prompts, max_new_tokens=12, num_beams=4, num_return_sequences=2)
    check(reference, decoder, prompts[:1], max_new_tokens=12)


@pytest.mark.parametrize("architecture", SEQ2SEQ)
def test_heads_with_an_encoder(architecture, tmp_path):
    reference = build_reference(architecture, tmp_path / "model")
    head = AutoHead("TFAutoModelForSeq2SeqLM").from_pretrained(tmp_path / "model")
    decoder = Seq2SeqDecoder(head, head.config.decoder_start_token_id, 64)
    prompts = prompts_of(50, end=(END,))
    check(reference, decoder, prompts, max_new_tokens=12)
    check(reference, decoder, prompts, max_new_tokens=12, num_beams=4, num_return_sequences=2)
    check(reference, decoder, prompts[:1], max_new_tokens=12)
