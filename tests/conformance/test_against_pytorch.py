"""The numbers of every head, in every common architecture, beside PyTorch's."""

import numpy as np
import pytest
import transformers

import tfnlp
from tests.conformance.cases import CASES
from tests.conformance.echo import Echo
from tests.tiny import TEXTS, UNNAMED, write_checkpoint
from tfnlp._backend import has_transformers_heads
from tfnlp.tasks.loading import TASKS

ARCHITECTURES = (
    "bert", "distilbert", "roberta", "albert", "electra", "mpnet", "xlm-roberta", "deberta-v2", "modernbert",
)  # fmt: skip
QUICK = ("bert", "deberta-v2", "modernbert")
# Zero-shot classification has the head of text classification; the tests of TAPAS and of text out compare their own.
APART = (tfnlp.ZeroShotClassifier, tfnlp.TableQuestionAnswerer, tfnlp.CausalLM, tfnlp.Seq2SeqLM)
HEADS = {
    task.auto_class.removeprefix("TFAutoModel").removeprefix("For"): task
    for task in TASKS.values()
    if task not in APART
}
OF_FEW = {"NextSentencePrediction": ("bert",)}  # of these architectures; MobileBERT has it too


def cases():
    for head in HEADS:
        for name in OF_FEW.get(head, ARCHITECTURES):
            is_quick = name == "bert" or (name in QUICK and head == "TokenClassification")
            yield pytest.param(head, name, marks=() if is_quick else pytest.mark.slow, id=f"{head or 'Model'}-{name}")
    if has_transformers_heads():
        yield pytest.param("SequenceClassification", "xlnet", marks=pytest.mark.slow, id="SequenceClassification-xlnet")


def test_every_task_has_its_head_here():
    assert set(HEADS.values()) == {case.task for case in CASES} - {Echo, *APART}


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:`torch.jit")  # transformers' DeBERTa and ModernBERT, on PyTorch
@pytest.mark.filterwarnings("ignore:The initializer TruncatedNormal is unseeded", "ignore:`TFSharedEmbeddings`")
@pytest.mark.parametrize(("head", "name"), list(cases()))
def test_outputs_equal_pytorch_s(head, name, tmp_path):
    torch = pytest.importorskip("torch")
    task_class = HEADS[head]
    labels = {} if head == "TokenClassification" else UNNAMED
    directory = write_checkpoint(name, tmp_path / name, head=head, **labels)
    options = {"pairs": True} if task_class is tfnlp.SequenceClassifier else {}
    task = task_class.from_pretrained(directory, **options)
    model = getattr(transformers, f"AutoModel{'For' if head else ''}{head}").from_pretrained(directory).eval()
    encoded = task.tokenizer.hf(TEXTS[:2], TEXTS[1:3], padding=True, return_tensors="pt")
    features = {key: encoded[key] for key in task.tokenizer.input_names}
    are_choices = head == "MultipleChoice"
    with torch.no_grad():
        theirs = model(**{key: value[None] if are_choices else value for key, value in features.items()})
    ours = task.forward({key: value.numpy().astype(np.int32) for key, value in features.items()})
    is_token = encoded["attention_mask"].numpy() == 1
    compared = set(task.output_names) & set(theirs.keys())
    assert compared
    for output in compared:
        expected, found = theirs[output].numpy(), ours[output].numpy()
        expected = expected[0][:, None] if are_choices else expected
        if expected.shape[:2] == is_token.shape:  # what stands at padding means nothing
            expected, found = expected[is_token], found[is_token]
        np.testing.assert_allclose(found, expected, atol=1e-4)
