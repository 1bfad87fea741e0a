"""Small configurations of every architecture that transformers has in TensorFlow."""

from __future__ import annotations

from typing import Any

# What a field is set to where a configuration has it.
_SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "d_model": 16,
    "n_embd": 16,
    "dim": 16,
    "emb_dim": 16,
    "embedding_size": 16,
    "d_embed": 16,
    "num_hidden_layers": 2,
    "n_layer": 2,
    "n_layers": 2,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_attention_heads": 2,
    "n_head": 2,
    "n_heads": 2,
    "num_heads": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "d_head": 8,
    "rotary_dim": 4,
    "intermediate_size": 32,
    "d_inner": 32,
    "dff": 32,
    "hidden_dim": 32,
    "d_ff": 32,
    "ffn_dim": 32,
    "n_inner": 32,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 64,
    "n_positions": 64,
    "max_encoder_position_embeddings": 64,
    "max_decoder_position_embeddings": 64,
    "image_size": 64,
    "patch_size": 16,
    "projection_dim": 16,
    "word_embed_proj_dim": 16,
    "num_buckets": 8,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "sep_token_id": 2,
    "mask_token_id": 3,
}
_CONVOLUTIONS = {
    "conv_dim": (16, 16),
    "conv_stride": (4, 2),
    "conv_kernel": (4, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 2,
}
_SWIN = {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2, "patch_size": 4, "image_size": 32}
# What an architecture needs beside, or in place of, the above.
_OWN: dict[str, dict[str, Any]] = {
    "wav2vec2": _CONVOLUTIONS,
    "hubert": _CONVOLUTIONS,
    "swin": _SWIN,
    "convnext": {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "patch_size": 4},
    "convnextv2": {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "patch_size": 4},
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "regnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "groups_width": 4},
    "cvt": {"embed_dim": [8, 16, 16], "num_heads": [1, 2, 2], "depth": [1, 2, 3]},
    "swiftformer": {"depths": [1, 1, 1, 1], "embed_dims": [8, 8, 16, 16]},
    "segformer": {
        "hidden_sizes": [8, 8, 16, 16],
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
        "decoder_hidden_size": 16,
    },
    "mobilevit": {
        "hidden_sizes": [12, 16, 20],
        "neck_hidden_sizes": [8, 8, 8, 12, 16, 20, 24],
        "patch_size": 2,
        "aspp_out_channels": 16,
    },
    "efficientformer": {
        "depths": [1, 1, 1, 2],
        "hidden_sizes": [8, 8, 16, 16],
        "dim": 16,
        "image_size": 224,
        "num_attention_heads": 2,
        "resolution": 7,
    },
    "data2vec-vision": {"out_indices": [0, 1, 1, 1]},
    "funnel": {"block_sizes": [1, 1], "num_decoder_layers": 1},
    "longformer": {"attention_window": 8},
    "led": {"attention_window": 8},
    "mobilebert": {"embedding_size": 8, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    "convbert": {"head_ratio": 2},
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False},
    "rembert": {"input_embedding_size": 16, "output_embedding_size": 16},
    "openai-gpt": {"n_layer": 1},
    "whisper": {"max_source_positions": 20, "max_target_positions": 20, "num_mel_bins": 8},
    "speech_to_text": {
        "input_feat_per_channel": 8,
        "conv_channels": 16,
        "max_source_positions": 40,
        "max_target_positions": 20,
    },
    "vit_mae": {
        "decoder_hidden_size": 16,
        "decoder_num_attention_heads": 2,
        "decoder_num_hidden_layers": 1,
        "decoder_intermediate_size": 32,
        "mask_ratio": 0.0,
    },
    "esm": {"pad_token_id": 1, "mask_token_id": 3, "position_embedding_type": "rotary", "token_dropout": False},
    "layoutlmv3": {"coordinate_size": 2, "shape_size": 4, "input_size": 64, "max_2d_position_embeddings": 64},
    "layoutlm": {"max_2d_position_embeddings": 64},
    "tapas": {"type_vocab_sizes": [3, 256, 256, 2, 256, 256, 10]},
    "sam_vision_model": {"output_channels": 16, "num_pos_feats": 8, "window_size": 2, "global_attn_indexes": [1]},
    "dpr": {"projection_dim": 0},
    "transfo-xl": {"cutoffs": []},
    "lxmert": {"l_layers": 1, "x_layers": 1, "r_layers": 1},
}


def small_config(model_type: str, head: str) -> Any:
    """Return a small configuration of an architecture, for a head that needs it so."""
    from transformers import CONFIG_MAPPING

    if model_type in _COMPOSED:
        return _COMPOSED[model_type]()
    kind = CONFIG_MAPPING[model_type]
    config = kind(**_options(kind, model_type))
    if "CausalLM" in head or "LMHead" in head:
        config.is_decoder = True
    return config


def _options(kind: Any, model_type: str) -> dict[str, Any]:
    has = kind().to_dict()
    options = {name: value for name, value in _SMALL.items() if name in has and not isinstance(has[name], list | tuple)}
    for name, inner in has.items():
        if isinstance(inner, dict) and "model_type" in inner:
            options[name] = _options(type(getattr(kind(), name)), inner["model_type"])
    return options | _OWN.get(model_type, {})


def _encoder_decoder() -> Any:
    from transformers import EncoderDecoderConfig

    decoder = small_config("bert", "")
    decoder.is_decoder = decoder.add_cross_attention = True
    return _with_start(EncoderDecoderConfig.from_encoder_decoder_configs(small_config("bert", ""), decoder))


def _vision_encoder_decoder() -> Any:
    from transformers import VisionEncoderDecoderConfig

    decoder = small_config("gpt2", "")
    decoder.is_decoder = decoder.add_cross_attention = True
    return _with_start(VisionEncoderDecoderConfig.from_encoder_decoder_configs(small_config("vit", ""), decoder))


def _vision_text_dual_encoder() -> Any:
    from transformers import VisionTextDualEncoderConfig

    configs = small_config("vit", ""), small_config("bert", "")
    return VisionTextDualEncoderConfig.from_vision_text_configs(*configs, projection_dim=16)


def _with_start(config: Any) -> Any:
    config.decoder_start_token_id, config.pad_token_id = 2, 1
    return config


_COMPOSED = {
    "encoder-decoder": _encoder_decoder,
    "vision-encoder-decoder": _vision_encoder_decoder,
    "vision-text-dual-encoder": _vision_text_dual_encoder,
}
