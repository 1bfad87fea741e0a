"""Rules, ends and draws, against transformers' own of PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp._backend import tf
from tfnlp.generation.ends import Ends
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.randomness import uniform
from tfnlp.generation.rules import Written, for_sampling, rules_of
from tfnlp.generation.sampling import _drawn

torch = pytest.importorskip("torch")
SIZE = 30


def processors(options, prompt, most):
    from transformers import GenerationConfig
    from transformers.generation import GenerationMixin

    prompt_length = prompt.shape[1]
    config = GenerationConfig(**options, max_length=prompt_length + most, eos_token_id=3)
    config._eos_token_tensor = torch.tensor([3])
    mixin = GenerationMixin()
    given = {"input_ids_seq_length": prompt_length, "encoder_input_ids": prompt, "device": "cpu"}
    return GenerationMixin._get_logits_processor(mixin, config, **given)


def changed(options, tokens, logits, prompt_length, most):
    """Our logits for one row, which stands behind two places of padding."""
    chosen = GenerationOptions(eos_token_id=(3,)).changed(options)
    rows = np.array([[0, 0, *tokens, *[0] * 5]], np.int32)
    length = 2 + len(tokens)
    written = Written(
        tf.constant(rows), tf.constant([2]), tf.constant(length), tf.constant(len(tokens) - prompt_length),
        tf.constant([most]), tf.constant([[-1, -1, *tokens[:prompt_length]]]),
    )  # fmt: skip
    scores = tf.constant(logits[None])
    for rule in rules_of(chosen):
        scores = rule(scores, written)
    return (for_sampling(scores, chosen, numbers_of(chosen)) if chosen.do_sample else scores).numpy()[0]


def numbers_of(options):
    """The numbers of one row."""
    return {name: tf.constant([value]) for name, value in options.numbers.items()}


OPTIONS = [
    {"repetition_penalty": 1.7},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 3, "bad_words_ids": [[4], [5, 6], [1, 2, 7], [3]]},
    {"encoder_no_repeat_ngram_size": 2},
    {"encoder_no_repeat_ngram_size": 3},
    {"min_length": 9, "min_new_tokens": 4},
    {"forced_eos_token_id": 3, "suppress_tokens": [1, 9], "begin_suppress_tokens": [2, 8]},
    {"forced_bos_token_id": 7},
    {"do_sample": True, "temperature": 0.6, "top_k": 7},
    {"do_sample": True, "top_k": 0, "top_p": 0.7},
    {"do_sample": True, "top_k": 0, "min_p": 0.1, "typical_p": 0.6},
    {"do_sample": True, "top_k": 20, "top_p": 0.9, "min_p": 0.01, "typical_p": 0.95, "temperature": 1.5},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_logits_are_changed_as_in_transformers(options, seed):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal(SIZE).astype(np.float32) * 3
    prompt_length, num_new, most = (1, 0, 5) if "forced_bos_token_id" in options else (4, int(rng.integers(0, 5)), 5)
    tokens = rng.integers(4, 8, size=prompt_length + num_new).tolist()
    expected = torch.tensor(logits)[None].clone()
    prompt = torch.tensor([tokens[:prompt_length]])
    expected = processors(options, prompt, most)(torch.tensor([tokens]), expected)[0].numpy()
    np.testing.assert_allclose(changed(options, tokens, logits, prompt_length, most), expected, rtol=1e-5)


@pytest.mark.parametrize("options", [options for options in OPTIONS if "do_sample" in options], ids=str)
def test_draws_have_the_probabilities_of_transformers(options):
    from scipy.stats import chisquare

    logits = np.random.default_rng(1).standard_normal(SIZE).astype(np.float32) * 2
    expected = (
        processors(options, torch.tensor([[4]]), 5)(torch.tensor([[4]]), torch.tensor(logits)[None].clone())
        .softmax(-1)[0]
        .numpy()
    )
    count = 20_000
    seeds = tf.stack([tf.fill([count], 7), tf.range(count)], 1)
    chosen = GenerationOptions().changed(options)
    ours = for_sampling(tf.constant(logits[None]), chosen, numbers_of(chosen))
    draws = tf.function(uniform, autograph=False)(seeds, 1)[:, 0]
    drawn = _drawn(tf.repeat(ours, count, 0), draws).numpy()
    counts = np.bincount(drawn, minlength=SIZE)
    is_possible = expected > 0
    assert not counts[~is_possible].any()
    wanted = expected[is_possible].astype(float)
    assert chisquare(counts[is_possible], count * wanted / wanted.sum()).pvalue > 1e-3


def test_random_numbers_depend_on_seed_and_number_alone():
    seeds = tf.constant([[1, 0], [1, 1], [2, 0]])
    together = uniform(seeds, 6).numpy()
    assert len(np.unique(together)) == together.size
    np.testing.assert_array_equal(uniform(seeds[1:2], 6).numpy()[0], together[1])
    np.testing.assert_array_equal(uniform(seeds[2:], 3).numpy()[0], together[2, :3])
    assert not np.isin(uniform(seeds, 6, step=1).numpy(), together).any()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.sampled_from(["ab", "b a", "é", "aaa", ".", "好a"]))
def test_a_text_ends_with_the_token_that_completes_a_string(tokens, wanted):
    pieces = ["a", "b", " a", "\u00e9", "ab.", "好"]
    ends = Ends((), (wanted,), tf.constant([piece.encode() for piece in pieces]))
    text = "".join(pieces[token] for token in tokens)
    before = text[: len(text) - len(pieces[tokens[-1]])]
    is_completed = any(
        text.startswith(wanted, start) and start + len(wanted) > len(before) for start in range(len(text))
    )
    found = ends(tf.constant([[*tokens, 0, 0]]), tf.constant(len(tokens)))
    assert found.numpy().tolist() == [is_completed]


def test_halves_of_characters_and_unknown_ids_end_nothing():
    pieces = tf.constant([b"a", "好".encode()[:2], "好".encode()[2:], b"\n"])
    tokens = tf.constant([[0, 1, 2, 3, 3], [1, 2, 9, 9, 3]])
    assert Ends((), ("\n\n",), pieces)(tokens, tf.constant(5)).numpy().tolist() == [True, False]
    assert Ends((), ("好",), pieces)(tokens, tf.constant(3)).numpy().tolist() == [True, False]
    assert Ends((), ("好",), pieces)(tokens, tf.constant(2)).numpy().tolist() == [False, True]
