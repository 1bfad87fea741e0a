"""Faults of transformers 4.57's TensorFlow heads, each repaired here, or refused with the reason.

Seen in 4.57.6, the last release with these heads, so none of this can go.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from typing import Any

from tfnlp.checkpoints.image_positions import repair_positions
from tfnlp.errors import UnsupportedModelError, VersionError

_LEGACY_KERAS = "TF_USE_LEGACY_KERAS"

# Heads that transformers has and that none of its auto classes knows: by auto class, of model types.
HEADS_OF_NO_AUTO_CLASS = {
    "TFAutoModelForCTC": {"wav2vec2": "TFWav2Vec2ForCTC", "hubert": "TFHubertForCTC"},
    "TFAutoModelForVisualQuestionAnswering": {"blip": "TFBlipForQuestionAnswering"},
    "TFAutoModelForImageTextRetrieval": {"blip": "TFBlipForImageTextRetrieval"},
}
_OTHER_NUMBERS = "gives other numbers than its PyTorch twin: it"
_NO_WEIGHTS = "builds no weights, so a checkpoint can't be loaded"
_KERAS_3 = "mixes the layers of two Kerases, so it can't be built"
# Heads that can't be used as they are, and why.
_REFUSED = {
    "TFLongformerForMultipleChoice": f"{_OTHER_NUMBERS} differs by 4e-3",
    "TFRoFormerForCausalLM": f"{_OTHER_NUMBERS} lets each token see those after it",
    "TFData2VecVisionForSemanticSegmentation": f"{_OTHER_NUMBERS} chains the levels of its pyramid",
    "TFMobileBertForMaskedLM": (
        "has two tables of tokens where its PyTorch twin has one, so that a trained one would answer differently there"
    ),
    "TFTransfoXLLMHeadModel": _NO_WEIGHTS,
    "TFTransfoXLForSequenceClassification": _NO_WEIGHTS,
    "TFTransfoXLModel": _NO_WEIGHTS,
    "TFIdeficsModel": _KERAS_3,
    "TFIdeficsForVisionText2Text": _KERAS_3,
}


def import_heads() -> Any:
    """Import transformers with its TensorFlow heads, and leave the user's `tf.keras` as it is.

    transformers sets an environment variable that would turn `tf.keras` into tf_keras for everybody in the process,
    and in those it starts.
    """
    was_set = _LEGACY_KERAS in os.environ
    import transformers
    import transformers.modeling_tf_utils

    if not was_set:
        os.environ.pop(_LEGACY_KERAS, None)
    return transformers


def encoder_output(hidden: Any) -> Any:
    """Return the vectors of an encoder, shape `(rows, length, hidden)`, as heads with a decoder take them."""
    return import_heads().modeling_tf_outputs.TFBaseModelOutput(last_hidden_state=hidden)


def prepare_config(config: Any, head: str) -> None:
    """Give a configuration what the head will look for; raise where a head is known to give wrong numbers.

    Args:
        config: a Hugging Face configuration; changed in place.
        head: the head's class name, `TFBertForTokenClassification`.

    Raises:
        UnsupportedModelError: for those.
        VersionError: for TAPAS's questions, if tensorflow-probability is missing.
    """
    if head.startswith("TFElectraForSequenceClassification") and config.classifier_dropout is not None:
        # TFElectraClassificationHead reads `classifier_dropout` by this misspelt name.
        config.classifhidden_dropout_probier_dropout = config.classifier_dropout
    if head in ("TFFlaubertForMultipleChoice", "TFXLMForMultipleChoice") and not hasattr(config, "initializer_range"):
        config.initializer_range = config.init_std
    if head == "TFTapasForQuestionAnswering" and not find_spec("tensorflow_probability"):
        raise VersionError(
            "TFTapasForQuestionAnswering needs tensorflow-probability, which is not installed: "
            "`pip install 'tfnlp[tables]'`."
        )
    if config.model_type == "blip" and not hasattr(config.vision_config, "num_channels"):
        config.vision_config.num_channels = 3
    if config.model_type == "cvt" and not hasattr(config, "image_size"):
        config.image_size = 224
    if head in _REFUSED:
        raise UnsupportedModelError(
            f"{head} {_REFUSED[head]} (transformers 4.57.6). Use another architecture for this task."
        )


def repair_head(head: Any) -> None:
    """Mend a built head whose layers are not as in PyTorch."""
    architecture = head.config.model_type
    if architecture == "xglm" and hasattr(head, "lm_head") and head.config.tie_word_embeddings:
        # A second table here, which training would let drift from the one that PyTorch has.
        head.lm_head = partial(head.model.embed_tokens, mode="linear")
        head._keys_to_ignore_on_load_unexpected = [*(head._keys_to_ignore_on_load_unexpected or []), r"lm_head\.weight"]
    for layer in head.submodules:
        kind = type(layer).__name__
        repair_positions(layer)
        if architecture == "mobilevit" and "BatchNormalization" in kind:
            layer.momentum = 0.9  # PyTorch's 0.1 is the share of what is new
        elif architecture == "openai-gpt" and kind == "TFMLP":
            layer.act = import_heads().activations_tf.get_tf_activation("gelu_new")  # what PyTorch's "gelu" means there
        elif architecture == "albert" and kind == "TFAlbertMLMHead":
            layer.bias = layer.decoder_bias  # one in PyTorch; here only the second was ever added to the logits


def pytorch_aliases(config: Any, name: str) -> tuple[str, ...]:
    """Return the names that PyTorch gives a weight, the one to save under first."""
    if config.model_type == "deberta-v2" and ("pos_proj" in name or "pos_q_proj" in name):
        # The TensorFlow head kept DeBERTa 1's names for the projections that `share_att_key=False` adds.
        return name.replace("pos_q_proj", "pos_query_proj").replace("pos_proj", "pos_key_proj"), name
    if config.model_type == "albert" and name.endswith("predictions.decoder.bias"):
        return name.replace("decoder.bias", "bias"), name
    if config.model_type == "blip" and name.endswith("cls.predictions.decoder.weight"):
        # In PyTorch it is the table of words, and is not in the file.
        return name, name.replace("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight")
    return (name,)


def pytorch_layout(name: str, array: Any) -> Any:
    """Return a weight's array, to be saved under this name, in the shape that PyTorch gives it."""
    last = name.rsplit(".", 1)[-1]
    if name.endswith("key_conv_attn_layer.bias"):  # ConvBERT's separable convolution has it as a column
        return array.reshape(-1, 1)
    if last == "bias" and array.ndim == 2 and len(array) == 1:  # of GPT-2's `Conv1D`, which has it as a row
        return array[0]
    if last == "weight_g":  # the lengths of a weight norm, along another axis (Wav2Vec2, HuBERT)
        return array.reshape(1, 1, -1)
    if last.startswith("layer_scale") and array.ndim == 1 and "swiftformer" in name:
        return array.reshape(-1, 1, 1)
    return array


def pytorch_name(name: str) -> str:
    """Return PyTorch's name of a weight: it calls the statistics of batch norms otherwise."""
    return name.replace("moving_variance", "running_var").replace("moving_mean", "running_mean")


def constant_variables(model: Any) -> list[Any]:
    """Return the variables that the architecture computes: tables of sines, which PyTorch neither trains nor saves.

    They are right once the head is built, and are not trained here either.
    """
    variables = []
    for layer in model.submodules:
        if type(layer).__name__.endswith("SinusoidalPositionalEmbedding"):
            layer.trainable = False
            variables += layer.weights
    return variables
