"""Images of other sizes than the checkpoint's: positions of patches are interpolated as in PyTorch."""

import numpy as np
import pytest
import transformers

import tfnlp
from tests.marks import slow_case
from tfnlp._backend import keras

pytestmark = pytest.mark.torch
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip


@pytest.mark.parametrize("height", [48, slow_case(16)])
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("ViT", SMALL),
        slow_case("DeiT", SMALL),
        slow_case("ViTMAE", SMALL | {"mask_ratio": 0.0}),
    ],
)
def test_positions_equal_pytorch_s(tmp_path, name, sizes, height):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**sizes)).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    theirs.save_pretrained(tmp_path)
    ours = tfnlp.TFAutoModel.from_pretrained(tmp_path)
    images = np.random.default_rng(0).normal(size=(2, 3, height, 40)).astype(np.float32)
    options = {"noise": np.tile(np.arange(height // 8 * 5), (2, 1))} if name == "ViTMAE" else {}
    with torch.no_grad():
        expected = theirs(
            torch.tensor(images), interpolate_pos_encoding=True, **{k: torch.tensor(v) for k, v in options.items()}
        ).last_hidden_state.numpy()
    found = ours(keras.backend.constant(images), interpolate_pos_encoding=True, **options).last_hidden_state
    np.testing.assert_allclose(found, expected, atol=1e-4)
