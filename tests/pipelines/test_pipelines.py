import dataclasses

"""Answer by answer beside transformers' pipelines on PyTorch."""

import pytest
import transformers

import tfnlp
from tests.marks import slow_case
from tests.tiny import LONG_TEXT, TEXTS, UNNAMED, build_tokenizer, write_checkpoint
from tfnlp.errors import ArgumentError, CheckpointError, DataError
from tfnlp.pipelines import PIPELINES

pytestmark = [
    pytest.mark.torch,
    # 2026-11: PyTorch's tensors in NumPy 2, and transformers' own warning of tokenizers without words
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
    pytest.mark.filterwarnings("ignore:Tokenizer does not support real words"),
]
pytest.importorskip("torch")

ENTITIES = ["B-PER", "I-PER", "B-LOC", "O", "I-LOC"]
NLI = ["contradiction", "neutral", "entailment"]
CONTEXT = "The cat lives in the house . Ada lives in Paris !"
ARCHITECTURES = ("bert", *(slow_case(name) for name in ("roberta", "xlm-roberta")))


def labels(names):
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}


def same(ours, theirs):
    """Tell whether two answers are the same, numbers but for rounding."""
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        return all(same(ours[key], value) for key, value in theirs.items())
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        return all(map(same, ours, theirs))
    if isinstance(theirs, str) or theirs is None:
        assert ours == theirs
        return True
    assert float(ours) == pytest.approx(float(theirs), abs=1e-5)
    return True


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A function that gives our pipeline and theirs for the same checkpoint, made once."""
    made = {}

    def build(task, head, name="bert", **config):
        key = (task, name)
        if key not in made:
            directory = write_checkpoint(name, tmp_path_factory.mktemp("pipe") / name, head=head, **config)
            made[key] = tfnlp.pipeline(task, str(directory)), transformers.pipeline(task, model=str(directory))
        return made[key]

    return build


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
def test_ner(pair, name, strategy):
    ours, theirs = pair("ner", "TokenClassification", name, **labels(ENTITIES))
    texts = [*TEXTS, "Ada's cat, unable; don't — 我 Bobby"]
    assert any(theirs(texts))
    assert same(ours(texts, aggregation_strategy=strategy), theirs(texts, aggregation_strategy=strategy))
    assert same(ours(TEXTS[0], aggregation_strategy=strategy), theirs(TEXTS[0], aggregation_strategy=strategy))


def test_ner_with_a_stride_of_its_own(pair):
    ours, _ = pair("ner", "TokenClassification", **labels(ENTITIES))
    settings, answers = ours.task.settings, ours(TEXTS)
    assert same(ours(TEXTS, stride=2), answers)
    with pytest.raises(ArgumentError, match="`stride`"):
        ours(TEXTS, stride=100)
    assert ours.task.settings == settings
    assert same(ours(TEXTS), answers)


def test_ner_ignores_labels(pair):
    ours, theirs = pair("ner", "TokenClassification", **labels(ENTITIES))
    ignored = ["O", "B-PER"]
    assert same(ours(TEXTS, ignore_labels=ignored), theirs(TEXTS, ignore_labels=ignored))
    with pytest.raises(ArgumentError, match=r"^`ignore_labels` must hold 'O'"):
        ours(TEXTS, ignore_labels=[])


@pytest.mark.parametrize("options", [{}, {"top_k": 1}, {"top_k": 2}, {"top_k": None}, {"function_to_apply": "sigmoid"}, {"function_to_apply": "none", "top_k": 3}])  # fmt: skip
def test_text_classification(pair, options):
    ours, theirs = pair("sentiment-analysis", "SequenceClassification", **labels(["a", "b", "c"]))
    two = {"text": TEXTS[0], "text_pair": TEXTS[1]}
    for inputs in (TEXTS, TEXTS[0], TEXTS[:1], two, [two, two]):
        assert same(ours(inputs, **options), theirs(inputs, **options))
    assert same(list(ours(iter(TEXTS), **options)), theirs(TEXTS, **options))


@pytest.mark.slow
def test_regression_and_a_single_label(pair):
    ours, theirs = pair("text-classification", "SequenceClassification", **labels(["a"]))
    assert same(ours(TEXTS), theirs(TEXTS))
    ours, theirs = pair(
        "text-classification", "SequenceClassification", "roberta", **labels(["a", "b"]), problem_type="multi_label_classification"
    )  # fmt: skip
    assert same(ours(TEXTS, top_k=None), theirs(TEXTS, top_k=None))


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_k": 3, "handle_impossible_answer": True}, {"align_to_words": False, "top_k": 2}, {"max_answer_len": 2, "top_k": 4}, {"max_seq_len": 30, "doc_stride": 6, "top_k": 6, "handle_impossible_answer": True}])  # fmt: skip
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_question_answering(pair, name, options):
    ours, theirs = pair("question-answering", "QuestionAnswering", name, **UNNAMED)
    for question, context in (("who lives", CONTEXT), ("where", LONG_TEXT[:140])):
        given = {"question": question, "context": context}
        assert same(ours(**given, **options), theirs(**given, **options))
    several = {"question": ["who lives", "where"], "context": CONTEXT}
    assert same(ours(**several, **options), theirs(**several, **options))
    assert same(ours({"question": "who", "context": CONTEXT}), theirs(question="who", context=CONTEXT))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_fill_mask(pair, name):
    ours, theirs = pair("fill-mask", "MaskedLM", name, **UNNAMED)
    mask = ours.tokenizer.mask_token
    text, two = f"Ada {mask} in Paris .", f"{mask} and {mask} ."
    for inputs in (text, [text], [text, f"the {mask}"], two):
        assert same(ours(inputs), theirs(inputs))
    assert same(ours(text, top_k=9), theirs(text, top_k=9))
    targets = ["cat", "Paris", "lives"]
    found = {answer["token"]: answer["score"] for answer in ours(text, targets=targets)}
    expected = {answer["token"]: answer["score"] for answer in theirs(text, targets=targets)}
    assert found == pytest.approx(expected, abs=1e-5)
    with pytest.raises(DataError, match="there is no"):
        ours("the cat")


def test_feature_extraction(pair):
    ours, theirs = pair("feature-extraction", "", **UNNAMED)
    for inputs in (TEXTS[0], TEXTS):
        assert same(ours(inputs), theirs(inputs))
    assert ours(TEXTS[0], return_tensors=True).shape == theirs(TEXTS[0], return_tensors=True).shape


@pytest.mark.parametrize(
    "options", [slow_case({}), {"multi_label": True}, slow_case({"hypothesis_template": "It is {} !"})]
)
def test_zero_shot_classification(pair, options):
    ours, theirs = pair("zero-shot-classification", "SequenceClassification", **labels(NLI))
    for inputs in (TEXTS[0], TEXTS):
        for candidates in (["Paris", "the cat"], "Paris, the cat", ["new"]):
            assert same(ours(inputs, candidates, **options), theirs(inputs, candidates, **options))
    assert same(ours(TEXTS[0], candidate_labels=["a", "b"]), theirs(TEXTS[0], candidate_labels=["a", "b"]))
    named = {"sequences": TEXTS[0], "candidate_labels": ["a", "b"]}
    assert same(ours(**named), theirs(**named))


def test_options_of_the_whole_and_tasks_of_this_library(pair):
    ours, _ = pair("ner", "TokenClassification", **labels(ENTITIES))
    again = tfnlp.pipeline("token-classification", ours.task, aggregation_strategy="simple", device=-1, batch_size=8)
    assert same(again(TEXTS), ours(TEXTS, aggregation_strategy="simple"))
    assert same(again(TEXTS, aggregation_strategy="none"), ours(TEXTS))
    assert repr(again).startswith("TokenClassificationPipeline(TokenClassifier(bert")
    assert again.model is ours.task.model


def test_without_a_model_transformers_choice_is_taken(caplog):
    with pytest.raises(CheckpointError, match=r"conll03-english: neither a directory nor a checkpoint"):
        tfnlp.pipeline("ner")
    assert "no model is named for 'ner': dbmdz/bert-large-cased-finetuned-conll03-english" in caplog.text


@pytest.mark.slow
def test_another_tokenizer(tmp_path):
    directory = write_checkpoint("bert", tmp_path / "x", **labels(ENTITIES))
    cased = transformers.AutoTokenizer.from_pretrained(directory, do_lower_case=False)
    ours = tfnlp.pipeline("ner", str(directory), tokenizer=cased)
    theirs = transformers.pipeline("ner", model=str(directory), tokenizer=cased)
    assert same(ours(TEXTS), theirs(TEXTS))
    assert same(
        tfnlp.pipeline("ner", str(directory), tokenizer=str(directory))(TEXTS),
        tfnlp.pipeline("ner", str(directory))(TEXTS),
    )
    cased.add_tokens([f"new{i}" for i in range(10)])
    with pytest.raises(ArgumentError, match=r"they do not belong together\.$"):
        tfnlp.pipeline("ner", str(directory), tokenizer=cased)


def test_wrong_calls(pair):
    ours, _ = pair("ner", "TokenClassification", **labels(ENTITIES))
    for call, message in (
        (lambda: tfnlp.pipeline("nre", "x"), r"^there is no pipeline 'nre', one of \[.*\]\. Did you mean 'ner'\?$"),
        (lambda: tfnlp.pipeline("ner", "x", framework="pt"), r"^`framework` is 'tf' here; it is 'pt'\.$"),
        (lambda: tfnlp.pipeline("ner", "x", device=0), r"^`device` is TensorFlow's to choose"),
        (lambda: tfnlp.pipeline("fill-mask", ours.task), r"^'fill-mask' needs a MaskedLM; this is a TokenClassifier\.$"),
        (lambda: pair("question-answering", "QuestionAnswering", **UNNAMED)[0](question="a", context="b", max_seq_len=99), r"^`max_seq_len` must be at most 64, the network's limit; it is 99\.$"),
        (lambda: ours(TEXTS, agregation_strategy="simple"), r"Did you mean 'aggregation_strategy'\?$"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            call()


@pytest.mark.slow
def test_ner_ignores_labels_before_windows_are_joined(tmp_path):
    directory = write_checkpoint("bert", tmp_path / "x", **labels(ENTITIES))
    ours, theirs = tfnlp.pipeline("ner", str(directory)), transformers.pipeline("ner", model=str(directory))
    for stride in (2, 16):
        options = {"stride": stride, "aggregation_strategy": "simple", "ignore_labels": ["O", "PER"]}
        assert same(ours(LONG_TEXT, **options), theirs(LONG_TEXT, **options))
        assert ours([LONG_TEXT, TEXTS[0]], stride=stride, ignore_labels=["O", *ENTITIES]) == [[], []]


def test_fill_mask_of_a_padded_vocabulary(tmp_path):
    tokens = len(build_tokenizer("bert", tmp_path))
    directory = write_checkpoint("bert", tmp_path / "x", head="MaskedLM", vocab_size=tokens + 20, **UNNAMED)
    ours, theirs = (make("fill-mask", model=str(directory)) for make in (tfnlp.pipeline, transformers.pipeline))
    targets = ["paris", "york"]
    assert same(ours("ada lives in [MASK] .", targets=targets), theirs("ada lives in [MASK] .", targets=targets))


def test_rows_are_as_long_as_the_network_takes_them(tmp_path):
    directory = write_checkpoint("bert", tmp_path / "x", head="", **UNNAMED)
    (directory / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    ours, theirs = (
        make("feature-extraction", model=str(directory)) for make in (tfnlp.pipeline, transformers.pipeline)
    )
    assert ours.task.settings.max_length == 64
    assert same(ours(" ".join(TEXTS)), theirs(" ".join(TEXTS)))


def test_texts_that_are_cut(pair):
    ours, theirs = pair("sentiment-analysis", "SequenceClassification", **labels(["a", "b", "c"]))
    pairs = [{"text": LONG_TEXT, "text_pair": TEXTS[0]}, {"text": TEXTS[0], "text_pair": LONG_TEXT}]
    for inputs in ([LONG_TEXT, *TEXTS], pairs):
        for options in ({"truncation": True}, {"truncation": True, "max_length": 12, "padding": True}):
            assert same(ours(inputs, **options), theirs(inputs, **options))
    with pytest.raises(ArgumentError, match="pass `truncation=True` with it"):
        ours(TEXTS, max_length=12)
    with pytest.raises(ArgumentError, match=r"^`max_length` must be at most 64, the network's limit; it is 65\."):
        ours(TEXTS, truncation=True, max_length=65)
    ours, theirs = pair("feature-extraction", "", **UNNAMED)
    assert same(ours([LONG_TEXT, *TEXTS], truncation=True), theirs([LONG_TEXT, *TEXTS], truncation=True))


def test_zero_shot_keeps_the_task_s_own_way(pair):
    ours, _ = pair("zero-shot-classification", "SequenceClassification", **labels(NLI))
    task = ours.task
    task.settings = dataclasses.replace(task.settings, multi_label=True)
    found = tfnlp.pipeline("zero-shot-classification", task)(TEXTS[0], ["a", "cat"])
    assert found["scores"] == [label.score for label in task.predict(TEXTS[0], ["a", "cat"])]


def test_every_pipeline_is_compared():
    assert set(PIPELINES) == {
        "token-classification", "text-classification", "question-answering", "fill-mask", "feature-extraction",
        "zero-shot-classification",
        "text-generation", "text2text-generation", "summarization", "translation",  # test_generation.py
    }  # fmt: skip
