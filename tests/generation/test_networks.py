"""The loop over networks of our own, grown and compiled by XLA, against PyTorch's `generate` of each prompt alone."""

import numpy as np
import pytest

from tests.generation.references import CAUSAL, END, build_reference, check, features_of, prompts_of
from tests.marks import slow_case
from tfnlp._backend import tf
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.generation.choosing import causal_decoder, seq2seq_decoder

torch = pytest.importorskip("torch")
# Of transformers' own code, which builds some heads with them.
pytestmark = pytest.mark.filterwarnings("ignore:`TFSharedEmbeddings`", "ignore:The initializer")

DECODERS = ["gpt2", slow_case("llama"), slow_case("mistral"), slow_case("opt"), slow_case("qwen2"), slow_case("qwen3")]
ENCODER_DECODERS = [
    "t5",
    *map(slow_case, ("bart", "blenderbot", "marian", "mbart", "mt5", "pegasus")),
]
BEAMS = {"num_beams": 4, "num_return_sequences": 2}


def loaded(architecture, directory):
    reference = build_reference(architecture, directory)
    auto = "TFAutoModelForCausalLM" if architecture in CAUSAL else "TFAutoModelForSeq2SeqLM"
    head = AutoHead(auto).from_pretrained(directory)

    def build(has_room):
        if architecture in CAUSAL:
            return causal_decoder(head, 64, has_room=has_room)
        return seq2seq_decoder(head, head.config.decoder_start_token_id, 64, has_room=has_room)

    return reference, head, build


@pytest.mark.parametrize("architecture", [*DECODERS, *ENCODER_DECODERS])
def test_tokens_are_pytorch_s(architecture, tmp_path):
    reference, _, build = loaded(architecture, tmp_path / "model")
    prompts = prompts_of(50, end=() if architecture in CAUSAL else (END,))
    check(reference, build(False), prompts, max_new_tokens=12)
    check(reference, build(False), prompts, max_new_tokens=12, **BEAMS)
    check(reference, build(False), prompts[:1], max_new_tokens=12)


@pytest.mark.parametrize(
    "architecture", [slow_case("gpt2"), slow_case("qwen3"), slow_case("mistral"), slow_case("t5"), slow_case("bart")]
)
def test_xla_makes_the_same_tokens(architecture, tmp_path):
    reference, _, build = loaded(architecture, tmp_path / "model")
    prompts = prompts_of(16, end=() if architecture in CAUSAL else (END,))
    check(reference, build(True), prompts, compiled=True, max_new_tokens=12)
    check(reference, build(True), prompts, compiled=True, max_new_tokens=12, **BEAMS)
    check(
        reference, build(True), prompts, compiled=True, max_new_tokens=12, no_repeat_ngram_size=2,
        repetition_penalty=1.3, min_new_tokens=4,
    )  # fmt: skip


@pytest.mark.parametrize("architecture", ["qwen3", slow_case("llama"), slow_case("qwen2")])
def test_heads_of_our_own_have_pytorch_s_logits_and_gradients(architecture, tmp_path):
    reference, head, _ = loaded(architecture, tmp_path / "model")
    features = features_of(prompts_of(6), "right")
    given = {name: torch.tensor(values).long() for name, values in features.items()}
    is_token = features["attention_mask"] == 1
    theirs = reference(**given).logits
    with tf.GradientTape() as tape:
        ours = head({name: tf.constant(values) for name, values in features.items()}).logits
        loss = tf.reduce_sum(tf.boolean_mask(tf.nn.log_softmax(ours)[..., 5], is_token))
    np.testing.assert_allclose(ours.numpy()[is_token], theirs.detach().numpy()[is_token], atol=1e-4)
    theirs.log_softmax(-1)[..., 5][torch.tensor(is_token)].sum().backward()
    expected = {name: parameter.grad.numpy() for name, parameter in reference.named_parameters()}
    variables = {name: value for name, (value, _) in head.named_weights.items()}
    assert set(variables) == set(expected)
    for name, gradient in zip(variables, tape.gradient(loss, list(variables.values())), strict=True):
        array = tf.convert_to_tensor(gradient).numpy()
        array = array.T if head.named_weights[name][1] else array
        scale = max(np.abs(expected[name]).max(), 1e-3)
        np.testing.assert_allclose(array / scale, expected[name] / scale, atol=1e-4, err_msg=name)


def test_positions_of_a_kind_that_is_not_known_are_refused(tmp_path):
    import transformers

    from tfnlp.errors import UnsupportedModelError

    config = transformers.LlamaConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=9,
        rope_scaling={"rope_type": "dynamic", "factor": 2.0},
    )  # fmt: skip
    with pytest.raises(UnsupportedModelError, match=r"^llama with `rope_scaling=.*dynamic.* has no network here"):
        AutoHead("TFAutoModelForCausalLM").from_config(config)


@pytest.mark.parametrize(
    "options",
    [
        slow_case({"early_stopping": True, "length_penalty": 2.0}),
        slow_case({"early_stopping": "never", "length_penalty": 0.5, "num_return_sequences": 4}),
        {"early_stopping": "never", "length_penalty": -1.0, "min_new_tokens": 3},
        slow_case({"max_length": 12, "no_repeat_ngram_size": 2, "repetition_penalty": 1.5}),
        {"num_beams": 1, "max_length": 16, "min_length": 14, "bad_words_ids": [[5], [7, 8]], "forced_eos_token_id": 3},
        {"num_beams": 1, "no_repeat_ngram_size": 1, "suppress_tokens": [9, 10], "begin_suppress_tokens": [11, 3]},
    ],
    ids=str,
)
def test_options(options, tmp_path):
    reference, _, build = loaded("gpt2", tmp_path / "model")
    lengths = {} if "max_length" in options else {"max_new_tokens": 10}
    check(reference, build(False), prompts_of(20), **{"num_beams": 4, **lengths, **options})


@pytest.mark.slow
def test_layers_from_nothing_differ_and_are_trained_in_half_precision(tmp_path):
    import transformers

    from tests.tiny import TEXTS, build_tokenizer
    from tfnlp import CausalLM
    from tfnlp._backend import keras

    tokenizer = build_tokenizer("gpt2", tmp_path)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, head_dim=8, max_position_embeddings=64, eos_token_id=2,
    )  # fmt: skip
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        task = CausalLM.from_config(config, tokenizer)
        kernels = [value.numpy() for name, (value, _) in task.head.named_weights.items() if "gate_proj" in name]
        assert np.abs(kernels[0] - kernels[1]).max() > 0.01
        history = task.fit(TEXTS, epochs=2, verbose=0)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.slow
def test_qwen_s_windows_are_those_of_some_layers(tmp_path):
    import transformers

    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, initializer_range=0.5, use_sliding_window=True, sliding_window=3, max_window_layers=1,
    )  # fmt: skip
    reference = transformers.Qwen2ForCausalLM(config).eval()
    reference.save_pretrained(tmp_path)
    head = AutoHead("TFAutoModelForCausalLM").from_pretrained(tmp_path)
    ids = np.random.default_rng(0).integers(4, 60, size=(2, 12))
    given = {"input_ids": tf.constant(ids, tf.int32), "attention_mask": tf.ones([2, 12], tf.int32)}
    with torch.no_grad():
        np.testing.assert_allclose(head(given).logits.numpy(), reference(torch.tensor(ids)).logits.numpy(), atol=1e-4)
