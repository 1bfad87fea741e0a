"""How many tokens a second `generate` makes, on GPT-2 and T5 of 6 layers of 256 with random weights.

    python -m benchmarks generate [--tokens 64] [--rounds 6]

Beside it: PyTorch's `generate`, and that of transformers' TensorFlow head, eagerly (once, since it takes so long) and
compiled by XLA. The ways take turns in one run; only ratios count. PyTorch on two threads collapses beside other work,
so the best round of each stands beside the median. All ways must make the same tokens.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models

import tfnlp
from tfnlp._backend import tf

_PROMPT = 10  # tokens


def build(kind: str, directory: Path) -> tuple[Any, Any]:
    """Write a checkpoint and return PyTorch's network and ours; neither ever ends a text."""
    torch.manual_seed(0)
    if kind == "gpt2":
        config = transformers.GPT2Config(n_embd=256, n_layer=6, n_head=8, eos_token_id=None, bos_token_id=None)
    else:
        config = transformers.T5Config(
            d_model=256, num_layers=6, num_heads=8, d_kv=32, d_ff=1024, decoder_start_token_id=0, eos_token_id=None
        )
    auto = transformers.AutoModelForCausalLM if kind == "gpt2" else transformers.AutoModelForSeq2SeqLM
    reference = auto.from_config(config).eval()
    reference.generation_config.eos_token_id = None
    reference.save_pretrained(directory)
    words = {f"w{i}": i for i in range(300)}
    rust = Tokenizer(models.WordLevel(words, unk_token="w0"))
    transformers.PreTrainedTokenizerFast(tokenizer_object=rust, unk_token="w0").save_pretrained(directory)
    task = tfnlp.CausalLM if kind == "gpt2" else tfnlp.Seq2SeqLM
    return reference, task.from_pretrained(directory)


def compare(kind: str, num_prompts: int, num_tokens: int, rounds: int) -> None:
    """Print the tokens per second of each way, and how long its first call takes."""
    with tempfile.TemporaryDirectory() as directory:
        reference, lm = build(kind, Path(directory))
    prompts = np.random.default_rng(0).integers(5, 250, size=(num_prompts, _PROMPT))

    def by_tfnlp(compile: bool) -> list[list[int]]:
        return [list(made.ids) for made in lm.generate(prompts, max_new_tokens=num_tokens, compile=compile)]

    def by_pytorch() -> list[list[int]]:
        given = torch.tensor(prompts)
        with torch.no_grad():
            made = reference.generate(
                given, attention_mask=torch.ones_like(given), max_new_tokens=num_tokens, do_sample=False, pad_token_id=0
            )
        return made[:, _PROMPT if kind == "gpt2" else 1 :].tolist()

    by_xla = tf.function(lm.head.generate, jit_compile=True)

    def by_head(generate: Callable[..., Any]) -> list[list[int]]:
        given = tf.constant(prompts, tf.int32)
        made = generate(
            given, attention_mask=tf.ones_like(given), max_new_tokens=num_tokens, do_sample=False, pad_token_id=0
        )
        return made[:, _PROMPT if kind == "gpt2" else 1 :].numpy().tolist()

    ways: dict[str, Callable[[], list[list[int]]]] = {
        "plain graph": lambda: by_tfnlp(False),
        "XLA": lambda: by_tfnlp(True),
        "PyTorch": by_pytorch,
        "transformers' TF by XLA": lambda: by_head(by_xla),
        "transformers' TF": lambda: by_head(lm.head.generate),
    }
    first: dict[str, float] = {}
    made = {}
    for name, run in ways.items():
        start = time.perf_counter()
        made[name] = run()
        first[name] = time.perf_counter() - start
    if len({str(tokens) for tokens in made.values()}) > 1:
        raise RuntimeError(f"{kind}: the ways made different tokens")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds):
        for name, run in ways.items():
            if i and name == "transformers' TF":
                continue
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    count = num_prompts * num_tokens
    for name, spent in seconds.items():
        best, middle = count / min(spent), count / median(spent)
        print(f"{kind}, {num_prompts} prompts, {name}: {best:.0f} tokens/s ({middle:.0f}), first {first[name]:.1f} s")
