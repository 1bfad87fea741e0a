"""Training, step by step, beside PyTorch: loss, gradients, clipping, warm-up, decay and optimizer together."""

import numpy as np
import pytest
import transformers

from tests.marks import slow_case
from tests.tiny import write_checkpoint
from tfnlp import SequenceClassifier
from tfnlp.tasks.text_classification.records import MULTI, REGRESSION, SINGLE
from tfnlp.training.optimizer import prepare_first_step
from tfnlp.training.recipe import Recipe

torch = pytest.importorskip("torch")
STEPS, WARM_UP, RATE = 42, 6, 3e-3
TEXTS = ("ada met bob", "bob lives in paris", "paris", "the city of rome is old", "old bob met the king", "rome")
LABELS = {
    SINGLE: ("a", "b", "c", "a", "b", "c"),
    MULTI: (["a"], ["a", "b"], [], ["c"], ["b", "c"], ["a", "b", "c"]),
    REGRESSION: (0.5, 1.5, -2.0, 0.1, 3.0, 0.0),
}


@pytest.mark.torch
@pytest.mark.parametrize(
    "problem_type",
    [SINGLE, slow_case(MULTI), slow_case(REGRESSION)],
)
def test_losses_equal_pytorchs_in_every_step(problem_type, tmp_path):
    labels = ["score"] if problem_type == REGRESSION else ["a", "b", "c"]
    tiny = write_checkpoint("bert", tmp_path / "bert")
    options = {"problem_type": problem_type, "labels": labels}
    fresh = SequenceClassifier.from_pretrained(tiny, **options)
    fresh.config.hidden_dropout_prob = fresh.config.attention_probs_dropout_prob = 0.0
    fresh.save(tmp_path / "start")

    ours = SequenceClassifier.from_pretrained(tmp_path / "start")
    records = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS[problem_type], strict=True)]
    batches = list(ours.dataset(records, batch_size=2))
    plan = Recipe(epochs=1, learning_rate=RATE, warmup=WARM_UP / STEPS)
    ours.model.compile(optimizer=plan.build_optimizer(STEPS), loss=ours.loss(plan))
    prepare_first_step(ours.model)
    losses = [ours.model.train_on_batch(*batches[step % len(batches)]) for step in range(STEPS)]

    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "start").train()
    kept = [p for name, p in theirs.named_parameters() if name.endswith(("bias", "LayerNorm.weight"))]
    decayed = [p for name, p in theirs.named_parameters() if not name.endswith(("bias", "LayerNorm.weight"))]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": kept, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, WARM_UP, STEPS)
    expected = []
    for step in range(STEPS):
        features, gold = batches[step % len(batches)]
        inputs = {name: torch.tensor(values.numpy()).long() for name, values in features.items()}
        right = torch.tensor(gold["logits"].numpy())
        loss = theirs(**inputs, labels=right.long() if problem_type == SINGLE else right.squeeze(-1)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        expected.append(loss.item())

    last, first = np.array(expected[-len(batches) :]), np.array(expected[: len(batches)])
    np.testing.assert_allclose(losses[:10], expected[:10], atol=1e-4)
    # Rounding grows from step to step, but stays far below what is learned.
    assert np.abs(np.array(losses) - expected).max() < 0.05 * np.abs(last - first).max()
