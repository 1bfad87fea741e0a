"""What is learned from nothing: a book as well as by PyTorch, and to reverse and to sort digits."""

import random

import numpy as np
import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from tokenizers.implementations import ByteLevelBPETokenizer

from tests.conftest import data
from tfnlp import CausalLM, Seq2SeqLM
from tfnlp._backend import keras
from tfnlp.training.recipe import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.torch]
STEPS = 300


def split_book():
    lines = [line.strip() for line in data("conf/sentencepiece_corpora/botchan.txt").read_text().splitlines()]
    lines = [line for line in lines if line]
    return lines[:-400], lines[-400:]


def test_a_book_is_learned_as_by_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    texts, held_out = split_book()
    rust = ByteLevelBPETokenizer()
    rust.train_from_iterator(texts, vocab_size=2000, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer = transformers.GPT2TokenizerFast(tokenizer_object=rust._tokenizer)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=256, n_layer=4, n_head=4, n_positions=128, eos_token_id=0, bos_token_id=0,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    keras.utils.set_random_seed(0)
    ours = CausalLM.from_config(config, tokenizer, max_length=64)
    ours.save(tmp_path / "start")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "start").train()
    before = ours.evaluate(held_out).perplexity
    batches = list(ours.dataset(texts, batch_size=16, shuffle=True))
    plan = Recipe(epochs=1, learning_rate=1e-3)
    model = ours.training_model()
    model.compile(optimizer=plan.build_optimizer(STEPS), loss=ours.loss(plan))
    for step in range(STEPS):
        model.train_on_batch(*batches[step % len(batches)])

    kept = [p for name, p in theirs.named_parameters() if name.endswith("bias") or ".ln_" in name]
    decayed = [p for name, p in theirs.named_parameters() if not (name.endswith("bias") or ".ln_" in name)]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": kept, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(STEPS * 0.1), STEPS)
    for step in range(STEPS):
        features, gold = batches[step % len(batches)]
        inputs = {name: torch.tensor(values.numpy()).long() for name, values in features.items()}
        labels = torch.tensor(gold["logits"].numpy()).long()
        logits = theirs(**inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    theirs.save_pretrained(tmp_path / "theirs")
    tokenizer.save_pretrained(tmp_path / "theirs")
    expected = CausalLM.from_pretrained(tmp_path / "theirs", max_length=64).evaluate(held_out).perplexity
    found = ours.evaluate(held_out).perplexity
    print(f"held-out perplexity {before:.1f} before, {found:.2f} after, {expected:.2f} by PyTorch")
    assert found == pytest.approx(expected, rel=0.05)
    assert found < before / 4


def digit_tokenizer():
    tokens = {token: i for i, token in enumerate(["<pad>", "</s>", *"0123456789"])}
    rust = Tokenizer(models.WordLevel(tokens, unk_token="<pad>"))
    rust.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    rust.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=rust, pad_token="<pad>", eos_token="</s>")


@pytest.mark.parametrize("kind", ["reverse", "sort"])
def test_digits_are_reversed_and_sorted(kind):
    draw = random.Random(0)

    def right(text):
        return text[::-1] if kind == "reverse" else "".join(sorted(text))

    texts = list({"".join(draw.choices("0123456789", k=draw.randint(2, 6))) for _ in range(9000)})
    pairs = [{"text": text, "target": right(text)} for text in texts]
    config = transformers.T5Config(
        vocab_size=12, d_model=64, d_kv=16, d_ff=256, num_layers=2, num_heads=4, dropout_rate=0.0,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    keras.utils.set_random_seed(0)
    lm = Seq2SeqLM.from_config(config, digit_tokenizer(), max_length=16, max_target_length=16)
    lm.fit(pairs[500:], epochs=12, batch_size=64, learning_rate=3e-3, verbose=0)
    made = lm.predict([pair["text"] for pair in pairs[:500]], max_new_tokens=10)
    share = np.mean([one.text.replace(" ", "") == pair["target"] for one, pair in zip(made, pairs[:500], strict=True)])
    print(f"{kind}: {share:.3f} of 500 texts exactly right")
    assert share >= 0.99
