"""Small language models of every architecture, and what PyTorch makes of prompts: each alone, without padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIZE = 60  # of the vocabulary
PLACES = 16  # that XLA's graphs have at first
PAD, END = 1, 3
_TOKENS = {"vocab_size": SIZE, "pad_token_id": PAD, "bos_token_id": 2, "eos_token_id": END}
_GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "initializer_range": 0.5, **_TOKENS}
_BERT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "initializer_range": 0.5, "is_decoder": True, **_TOKENS,
}  # fmt: skip
_XGLM = {
    "d_model": 16, "num_layers": 2, "attention_heads": 2, "ffn_dim": 32, "max_position_embeddings": 64,
    "init_std": 0.5, **_TOKENS,
}  # fmt: skip
_OPT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 32, "word_embed_proj_dim": 16,
    "max_position_embeddings": 64, "init_std": 0.5, **_TOKENS,
}  # fmt: skip
_BART = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64,
    "init_std": 0.5, "decoder_start_token_id": END, "forced_eos_token_id": None, **_TOKENS,
}  # fmt: skip
_T5 = {
    "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "initializer_factor": 4.0,
    "decoder_start_token_id": PAD, **_TOKENS,
}  # fmt: skip
_LLAMA = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 64, "initializer_range": 0.5, **_TOKENS,
}  # fmt: skip
_LLAMA_3 = {
    "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
_LED = {"max_encoder_position_embeddings": 64, "max_decoder_position_embeddings": 64, "attention_window": [4, 4]}

# By model type: the configuration's class and its options.
CAUSAL: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", _GPT),
    "bert": ("Bert", _BERT),
    "camembert": ("Camembert", _BERT),
    "ctrl": ("CTRL", {**_GPT, "dff": 32}),
    "gptj": ("GPTJ", {**_GPT, "rotary_dim": 4, "tie_word_embeddings": False}),
    "llama": ("Llama", {**_LLAMA, "rope_scaling": _LLAMA_3}),
    "mistral": ("Mistral", {**_BERT, "num_key_value_heads": 1}),
    "openai-gpt": ("OpenAIGPT", _GPT),
    "opt": ("OPT", _OPT),
    "qwen2": ("Qwen2", {**_LLAMA, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {**_LLAMA, "head_dim": 8}),
    "rembert": ("RemBert", {**_BERT, "input_embedding_size": 16, "output_embedding_size": 16}),
    "roberta": ("Roberta", _BERT),
    "roberta-prelayernorm": ("RobertaPreLayerNorm", _BERT),
    "xglm": ("XGLM", _XGLM),
    "xlm-roberta": ("XLMRoberta", _BERT),
    "xlnet": ("XLNet", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32, "initializer_range": 0.5, **_TOKENS}),
}
SEQ2SEQ: dict[str, tuple[str, dict[str, Any]]] = {
    "bart": ("Bart", _BART),
    "t5": ("T5", _T5),
    "blenderbot": ("Blenderbot", _BART),
    "blenderbot-small": ("BlenderbotSmall", _BART),
    "encoder-decoder": ("EncoderDecoder", {}),
    "led": ("LED", {**_BART, **_LED}),
    "marian": ("Marian", {**_BART, "decoder_vocab_size": SIZE}),
    "mbart": ("MBart", _BART),
    # With a matrix of its own before the logits, so large weights would make sequences of equal scores.
    "mt5": (
        "MT5",
        {**_T5, "initializer_factor": 1.5, "tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"},
    ),
    "pegasus": ("Pegasus", _BART),
}
# PyTorch's `generate` gives these positions from 0, though their networks count from the padding token's id plus one.
_WRONG_POSITIONS = ("camembert", "roberta", "roberta-prelayernorm", "xlm-roberta")


def build_reference(architecture: str, directory: Path) -> Any:
    """Write a checkpoint with random weights by PyTorch, and return the network."""
    import torch
    import transformers

    torch.manual_seed(0)
    is_causal = architecture in CAUSAL
    kind, options = (CAUSAL if is_causal else SEQ2SEQ)[architecture]
    config_class = getattr(transformers, f"{kind}Config")
    if architecture == "encoder-decoder":
        encoder = transformers.BertConfig(**{**_BERT, "is_decoder": False})
        decoder = transformers.BertConfig(**_BERT, add_cross_attention=True)
        config = config_class.from_encoder_decoder_configs(encoder, decoder)
        config.update({"decoder_start_token_id": 2, **_TOKENS})
    else:
        config = config_class(**options)
    auto = transformers.AutoModelForCausalLM if is_causal else transformers.AutoModelForSeq2SeqLM
    reference = auto.from_config(config).eval()
    for parameter in reference.parameters():  # else norms and biases would begin as ones and zeros
        if parameter.ndim == 1:
            parameter.data += torch.randn_like(parameter) * 0.2
    reference.save_pretrained(directory)
    return prepared(reference)


def prepared(reference: Any) -> Any:
    """Let PyTorch's `generate` run a network as its `forward` does, where it does not."""
    if reference.config.model_type in _WRONG_POSITIONS:
        reference.prepare_inputs_for_generation = lambda input_ids, attention_mask=None, **_: {
            "input_ids": input_ids,
            "use_cache": False,
        }
    if reference.config.model_type == "xlnet":
        reference.config.use_mems_eval = False  # else tokens of the prompt are read without those after them
    return reference


def prompts_of(count: int, *, end: tuple[int, ...] = (), seed: int = 0) -> list[list[int]]:
    """Return prompts of one to eight random tokens, and what ends each."""
    rng = np.random.default_rng(seed)
    return [[*rng.integers(4, SIZE, size=size).tolist(), *end] for size in rng.integers(1, 9, size=count)]


def generated_by_pytorch(reference: Any, prompt: list[int], **options: Any) -> tuple[list[list[int]], list[float]]:
    """Return what PyTorch makes of one prompt: the new tokens of each sequence, up to its end, and its beams' scores."""
    import torch

    with torch.no_grad():
        made = reference.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            return_dict_in_generate=True, output_scores=True, **options,
        )  # fmt: skip
    start = 1 if reference.config.is_encoder_decoder else len(prompt)
    sequences = [sequence[start:].tolist() for sequence in made.sequences]
    scores = made.sequences_scores.exp().tolist() if options.get("num_beams", 1) > 1 else []
    return [tokens[: tokens.index(END) + 1] if END in tokens else tokens for tokens in sequences], scores


def features_of(prompts: list[list[int]], side: str) -> dict[str, np.ndarray]:
    """Return prompts as one batch, filled up on a side."""
    longest = max(map(len, prompts))

    def filled(rows: list[list[int]], fill: int) -> np.ndarray:
        pairs = [(row, [fill] * (longest - len(row))) for row in rows]
        return np.array([free + row if side == "left" else row + free for row, free in pairs], np.int32)

    return {"input_ids": filled(prompts, PAD), "attention_mask": filled([[1] * len(row) for row in prompts], 0)}


def generated(decoder: Any, prompts: list[list[int]], *, compiled: bool = False, **options: Any) -> Any:
    """Return what one graph makes of prompts in one batch: for each, sequences and scores."""
    from tfnlp._backend import tf
    from tfnlp.generation.compiled import Bucket, CompiledLoop
    from tfnlp.generation.ends import Ends
    from tfnlp.generation.loop import generate, search_of, started
    from tfnlp.generation.options import GenerationOptions
    from tfnlp.generation.search import Asked, limits_of
    from tfnlp.rows import as_numpy

    chosen = GenerationOptions(pad_token_id=PAD, eos_token_id=(END,)).changed(options)
    search = search_of(decoder, chosen, Ends(chosen.eos_token_id))
    matrix = tf.TensorSpec([None, None], tf.int32)

    def asked_of(mask: Any) -> Asked:
        own = tf.reduce_sum(mask, 1) if decoder.continues else tf.ones_like(mask[:, 0])
        numbers = {name: tf.fill(tf.shape(own), value) for name, value in chosen.numbers.items()}
        return Asked(limits_of(own, numbers, chosen, decoder.room), tf.zeros([tf.shape(mask)[0], 2], tf.int32), numbers)

    @tf.function(input_signature=[{"input_ids": matrix, "attention_mask": matrix}], autograph=False)
    def run(features: Any) -> Any:
        return generate(search, features, asked_of(features["attention_mask"]))

    @tf.function(input_signature=[{"input_ids": matrix, "attention_mask": matrix}], autograph=False)
    def start(features: Any) -> Any:
        asked = asked_of(features["attention_mask"])
        own = tf.shape(features["input_ids"])[1] if decoder.continues else 1
        return started(search, features, asked, tf.reduce_max(asked.limits), PLACES - own)

    features = features_of(prompts, "left" if decoder.continues else "right")
    loop = CompiledLoop(search)
    for rows in (1, 2, 4, 8):  # so that rows that are done leave the batch
        loop.count(Bucket(rows, PLACES, 0, 0), 1000)
    made = loop.run(start(features), Bucket(len(prompts), PLACES, 0, 0)) if compiled else run(features)
    tokens, lengths, scores = as_numpy(made)
    counts = [[(j, lengths[i, j]) for j in range(tokens.shape[1])] for i in range(len(prompts))]
    return [[tokens[i, j, :count].tolist() for j, count in row] for i, row in enumerate(counts)], scores


def check(reference: Any, decoder: Any, prompts: list[list[int]], *, compiled: bool = False, **options: Any) -> None:
    """Compare with what PyTorch makes of each prompt alone."""
    sequences, scores = generated(decoder, prompts, compiled=compiled, **options)
    for i, prompt in enumerate(prompts):
        expected, expected_scores = generated_by_pytorch(reference, prompt, **options)
        assert sequences[i] == expected
        if expected_scores:
            np.testing.assert_allclose(scores[i], expected_scores, atol=2e-4)
