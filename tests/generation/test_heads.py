"""The loop over transformers' heads, against PyTorch's `generate` of each prompt alone."""

import numpy as np
import pytest

from tests.generation.references import CAUSAL, END, PAD, SEQ2SEQ, build_reference, generated_by_pytorch, prompts_of
from tests.marks import slow_case
from tfnlp._backend import tf
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.generation.ends import Ends
from tfnlp.generation.heads import Seq2SeqDecoder, decoder_of
from tfnlp.generation.loop import generate
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.search import limits_of

pytest.importorskip("torch")
# Of transformers' own code, which builds some heads with them.
pytestmark = pytest.mark.filterwarnings("ignore:`TFSharedEmbeddings`", "ignore:The initializer")
QUICK = ("gpt2", "t5")


def cases(architectures):
    return [name if name in QUICK else slow_case(name) for name in architectures]


def generated(decoder, prompts, side, **options):
    """What one graph makes of prompts in one batch: for each, sequences and scores."""
    options = GenerationOptions(pad_token_id=PAD, eos_token_id=(END,)).changed(options)
    longest = max(map(len, prompts))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2, autograph=False)
    def run(ids, mask):
        seeds = tf.zeros([tf.shape(ids)[0], 2], tf.int32)
        features = {"input_ids": ids, "attention_mask": mask}
        own = tf.reduce_sum(mask, 1) if decoder.continues else tf.ones_like(mask[:, 0])
        limits = limits_of(own, options, decoder.room)
        return generate(decoder, features, limits, seeds, options, Ends(options.eos_token_id))

    def filled(rows, fill):
        free = [[fill] * (longest - len(row)) for row in rows]
        pairs = zip(rows, free, strict=True)
        return np.array([more + row if side == "left" else row + more for row, more in pairs], np.int32)

    made = run(filled(prompts, PAD), filled([[1] * len(prompt) for prompt in prompts], 0))
    tokens, lengths, scores = (values.numpy() for values in made)
    sequences = [[tokens[i, j, : lengths[i, j]].tolist() for j in range(tokens.shape[1])] for i in range(len(prompts))]
    return sequences, scores


def check(reference, decoder, prompts, side, **options):
    sequences, scores = generated(decoder, prompts, side, **options)
    for i, prompt in enumerate(prompts):
        expected, expected_scores = generated_by_pytorch(reference, prompt, **options)
        assert sequences[i] == expected
        if expected_scores:
            assert scores[i] == pytest.approx(expected_scores, abs=2e-4)


@pytest.mark.parametrize("architecture", cases(CAUSAL))
def test_causal_heads(architecture, tmp_path):
    reference = build_reference(architecture, tmp_path / "model")
    decoder = decoder_of(AutoHead("TFAutoModelForCausalLM").from_pretrained(tmp_path / "model"), room=64)
    prompts = prompts_of(50)
    check(reference, decoder, prompts, "left", max_new_tokens=12)
    check(reference, decoder, prompts, "left", max_new_tokens=12, num_beams=4, num_return_sequences=2)
    check(reference, decoder, prompts[:1], "left", max_new_tokens=12)


@pytest.mark.parametrize("architecture", cases(SEQ2SEQ))
def test_heads_with_an_encoder(architecture, tmp_path):
    reference = build_reference(architecture, tmp_path / "model")
    head = AutoHead("TFAutoModelForSeq2SeqLM").from_pretrained(tmp_path / "model")
    decoder = Seq2SeqDecoder(head, head.config.decoder_start_token_id, 64)
    prompts = prompts_of(50, end=(END,))
    check(reference, decoder, prompts, "right", max_new_tokens=12)
    check(reference, decoder, prompts, "right", max_new_tokens=12, num_beams=4, num_return_sequences=2)
    check(reference, decoder, prompts[:1], "right", max_new_tokens=12)


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
    check(reference, decoder, prompts_of(20), "left", **{"num_beams": 4, **lengths, **options})
