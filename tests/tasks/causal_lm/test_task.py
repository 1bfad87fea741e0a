import json

import numpy as np
import pytest

import tfnlp
from tests.tiny import TEXTS, UNNAMED, build_task
from tfnlp import CausalLM, Generation, Generations
from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, DataError
from tfnlp.rows import as_numpy

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
CHATS = [
    {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text.split()[0]}]}
    for text in TEXTS[:3]
]


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    """A small GPT-2 with random weights, whose tokenizer has a chat template. Not to be changed."""
    options = {"initializer_range": 0.3, "eos_token_id": 2, **UNNAMED}
    task = build_task(CausalLM, "gpt2", tmp_path_factory.mktemp("lm"), options, max_length=48)
    task.tokenizer.hf.chat_template = TEMPLATE
    return task


def test_texts_go_on(lm):
    one = lm.predict(TEXTS[0], max_new_tokens=6)
    assert isinstance(one, Generation)
    assert 1 <= len(one.ids) <= 6 and 0 <= one.score <= 1
    hf = lm.tokenizer.hf
    prompt = hf(TEXTS[0])["input_ids"]
    assert TEXTS[0] + one.text == hf.decode([*prompt, *one.ids], skip_special_tokens=True)
    together = lm.predict(TEXTS, max_new_tokens=6)
    assert [made.ids for made in together] == [lm.predict(text, max_new_tokens=6).ids for text in TEXTS]
    assert [made.ids for made in lm.generate([hf(text)["input_ids"] for text in TEXTS], max_new_tokens=6)] == [
        made.ids for made in together
    ]
    assert [made.ids for made in lm.predict(iter(TEXTS), max_new_tokens=6)] == [made.ids for made in together]
    assert "".join(lm.stream(TEXTS[0], max_new_tokens=6)) == one.text
    assert one.to_dict() == {"generated_text": one.text, "score": one.score, "ids": list(one.ids)}


@pytest.mark.slow
def test_several_sequences_and_seeds(lm):
    beams = lm.predict(TEXTS[:2], max_new_tokens=5, num_beams=3, num_return_sequences=2)
    assert [type(several) for several in beams] == [Generations, Generations]
    assert all(several[0].score >= several[1].score for several in beams)
    sampled = {"max_new_tokens": 8, "do_sample": True, "num_return_sequences": 3}
    first, again, other = (lm.predict(TEXTS[:2], **sampled, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    ids = [[one.ids for one in several] for several in first]
    assert len({one for several in ids for one in several}) == 6
    assert [one.ids for one in lm.predict(TEXTS[0], **sampled, seed=1)] == ids[0]  # whatever stands beside it
    beams = {"num_beams": 2, "num_return_sequences": 2, "do_sample": True, "max_new_tokens": 5}
    drawn, other = (lm.predict(TEXTS[:2], **beams, seed=seed) for seed in (1, 2))
    assert [len(several) for several in drawn] == [2, 2] and drawn != other
    assert lm.predict([TEXTS[0]] * 2, **sampled)[0] != lm.predict([TEXTS[0]] * 2, **sampled)[1]


def test_a_string_ends_a_text(lm):
    decode = lm.tokenizer.hf.decode
    made = lm.predict(TEXTS, max_new_tokens=16)
    pairs = [
        (i, j) for i, one in enumerate(made) for j in range(3, len(one.ids)) if decode(one.ids[j - 1 : j + 1]).isascii()
    ]
    i, j = pairs[0]
    wanted = decode(made[i].ids[j - 1 : j + 1])
    short = lm.predict(TEXTS[i], max_new_tokens=16, stop_strings=[wanted])
    assert short.ids == made[i].ids[: len(short.ids)] and len(short.ids) <= j + 1
    assert wanted in short.text and wanted not in decode(short.ids[:-1])


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda lm: lm.predict(""), DataError, r"^text 1: `text` is empty\.$"),
        (
            lambda lm: lm.predict(["Ada", "Ada " * 70]),
            DataError,
            r"^text 2: 140 tokens to begin with and 1 new ones are 77 more than the network takes, 64\. Shorten the text",
        ),
        (
            lambda lm: lm.predict("Ada", max_new_tokens=80),
            DataError,
            r"^text 1: 1 tokens to begin with and 80 new ones are 17 more than the network takes, 64\.",
        ),
        (
            lambda lm: lm.predict(TEXTS[0], max_length=3),
            DataError,
            r"^text 1: 7 tokens to begin with and 1 new ones are 5 more than `max_length=3` allows\.",
        ),
        (
            lambda lm: lm.predict("Ada", do_sample=True, temperature=0),
            ArgumentError,
            r"^`temperature` must be greater than 0; it is 0\. For the likeliest tokens, pass `do_sample=False`\.$",
        ),
        (lambda lm: lm.predict("Ada", num_beam=2), ArgumentError, r"^`num_beam` is no option of generation\. Did you"),
        (
            lambda lm: lm.predict("Ada", num_return_sequences=2),
            ArgumentError,
            r"^`num_return_sequences=2` is more than `num_beams=1`: pass as many beams, or sample",
        ),
        (
            lambda lm: list(lm.stream("Ada", num_beams=2)),
            ArgumentError,
            r"^a stream is one sequence: pass `num_beams=1` and `num_return_sequences=1`\.$",
        ),
        (
            lambda lm: lm.predict("Ada", num_beams=2, num_return_sequences=3, do_sample=True),
            ArgumentError,
            r"^`num_return_sequences=3` is more than `num_beams=2`: pass as many beams, or sample",
        ),
        (
            lambda lm: lm.predict("Ada", max_new_tokens=2.5),
            ArgumentError,
            r"^`max_new_tokens` must be a whole number; it is 2\.5",
        ),
        (
            lambda lm: lm.generate([1, 2]),
            DataError,
            r"^text 1: expected a list of token ids, one for each text; found 1\.$",
        ),
        (
            lambda lm: lm.predict([{"role": "user", "content": "hi"}]),
            DataError,
            r"^text 1: this is a message\. A chat is a list of messages: call `chat`\.$",
        ),
        (lambda lm: lm.chat("hi", num_return_sequences=2), ArgumentError, r"^a chat has one answer: pass `num_return"),
        (lambda lm: lm.generate([[1, 99999]]), DataError, r"^text 1: token ids must be whole numbers in \[0, \d+\)"),
        (
            lambda lm: lm.predict("Ada", stop_strings=["."], compile=True),
            ArgumentError,
            r"^`compile=True`: XLA can't compile this",
        ),
        (
            lambda lm: lm.chat([{"role": "assistant", "content": "hi"}]),
            DataError,
            r"^the chat: the last message must be the user's; it is the assistant's\.$",
        ),
        (
            lambda lm: lm.chat([]),
            DataError,
            r"^the chat: `messages` must be a list of dicts, at least one; found \[\]\.$",
        ),
        (
            lambda lm: lm.chat([{"role": "wizard", "content": "hi"}]),
            DataError,
            r"^the chat: message 1: `role` must be one of system, user, assistant, tool; it is 'wizard'\.$",
        ),
        (
            lambda lm: lm.chat([{"role": "system", "content": "be kind"}, {"role": "tool", "content": "x"}]),
            DataError,
            r"^the chat: there is no message of the user to answer\.$",
        ),
    ],
)
def test_wrong_input(lm, ask, error, message):
    with pytest.raises(error, match=message):
        ask(lm)


def test_a_tokenizer_without_a_template_does_not_chat(tmp_path):
    task = build_task(CausalLM, "gpt2", tmp_path, UNNAMED)
    with pytest.raises(ArgumentError, match=r"^the tokenizer has no chat template, so it can't be told how a chat is"):
        task.chat("hi")


def test_chats(lm):
    answer, history = lm.chat("Ada lives", max_new_tokens=5)
    assert history == [{"role": "user", "content": "Ada lives"}, {"role": "assistant", "content": answer}]
    rendered = "user: Ada lives</s>assistant: "
    assert answer == lm.predict(rendered, max_new_tokens=5).text.strip()
    _, longer = lm.chat("and Bob", history=history, max_new_tokens=3)
    assert longer[:2] == history and len(longer) == 4


def labelled(lm, records):
    """What of the records' tokens is learned, as text."""
    texts = []
    for rows in lm.training_rows(lm.source(records)):
        labels = rows.targets["logits"]
        for start, end in zip(labels.splits[:-1], labels.splits[1:], strict=True):
            row = labels.values[start:end]
            texts.append(lm.tokenizer.hf.decode(row[row >= 0]))
    return texts


def test_what_is_learned(lm):
    end = lm.tokenizer.hf.convert_ids_to_tokens(2)
    assert labelled(lm, [{"prompt": "Ada lives", "completion": " in Paris"}]) == [f" in Paris{end}"]
    assert labelled(lm, [("Ada lives", " in Paris")]) == [f" in Paris{end}"]
    whole = labelled(lm, TEXTS)
    joined = end.join([*TEXTS, ""])
    assert all(part in joined for part in whole)  # of each row, all but its first token
    assert [text.strip() for text in labelled(lm, CHATS)] == ["Ada</s>", "Bob</s>", "the</s>"]
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "Bob"}]
    assert labelled(lm, [{"messages": turns}]) == ["Bob</s>"]


def test_records_of_several_kinds_and_ends_that_templates_write(lm, tmp_path):
    found = labelled(lm, [CHATS[0], {"prompt": "Ada lives", "completion": " in Paris"}])
    assert sorted(text.strip() for text in found) == ["Ada</s>", f"in Paris{lm.tokenizer.hf.convert_ids_to_tokens(2)}"]
    roberta = build_task(CausalLM, "roberta", tmp_path, UNNAMED)
    assert labelled(roberta, [{"prompt": "Ada lives", "completion": " in Paris"}]) == [" in Paris</s>"]


def test_an_end_that_the_vocabulary_lacks_is_not_learned(tmp_path):
    task = build_task(CausalLM, "gpt2", tmp_path, {"eos_token_id": 50256, **UNNAMED})
    rows = next(task.training_rows(task.source(TEXTS)))
    assert rows.values("input_ids").max() < len(task.tokenizer.hf)


@pytest.mark.slow
def test_types_of_tokens_and_the_side_of_padding_change_nothing(lm, tmp_path):
    lm.save(tmp_path / "lm")
    other = CausalLM.from_pretrained(tmp_path / "lm")
    other.tokenizer.hf.padding_side = "left"
    other.tokenizer.hf.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    other.use_tokenizer(other.tokenizer.hf)
    assert other.evaluate(TEXTS).loss == pytest.approx(lm.evaluate(TEXTS).loss, abs=1e-6)


def test_what_a_file_of_generation_holds_beside_is_kept(lm, tmp_path):
    lm.save(tmp_path / "lm")
    file = tmp_path / "lm" / "generation_config.json"
    file.write_text(json.dumps({"bos_token_id": 0, "pad_token_id": 0, "diversity_penalty": 0.5, "max_length": 30}))
    task = CausalLM.from_pretrained(tmp_path / "lm")
    task.configure_generation(max_new_tokens=4)
    task.save(tmp_path / "lm")
    kept = json.loads(file.read_text())
    assert kept["bos_token_id"] == kept["pad_token_id"] == 0 and kept["diversity_penalty"] == 0.5
    assert kept["max_new_tokens"] == 4 and "max_length" not in kept
    file.write_text(json.dumps({"top_p": 3.0}))
    with pytest.raises(
        tfnlp.CheckpointError, match=r"`generation_config.json`: `top_p` must be in \(0, 1\]; it is 3\.0\."
    ):
        CausalLM.from_pretrained(tmp_path / "lm")


def test_lines_by_themselves(tmp_path):
    task = build_task(CausalLM, "gpt2", tmp_path, {"eos_token_id": 2, **UNNAMED}, line_by_line=True)
    rows = next(task.training_rows(task.source(TEXTS)))
    assert rows.num_rows == len(TEXTS)


def test_wrong_records(lm):
    with pytest.raises(
        DataError, match=r"^the records: record 1: expected 'text', 'prompt' and 'completion', or 'mess"
    ):
        lm.fit([{"label": "a"}])
    with pytest.raises(DataError, match=r"^the records: record 2: it has \d+ tokens, \d+ more than `max_length=48`"):
        lm.fit([{"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": "Ada " * 60}])
    with pytest.raises(
        DataError, match=r"^the records: record 1: there is no message of the assistant to learn from\."
    ):
        lm.fit([{"messages": [{"role": "user", "content": "a"}]}])


@pytest.mark.slow
def test_perplexity_is_e_to_the_mean_loss(lm):
    report = lm.evaluate(TEXTS)
    losses = []
    for rows in lm.training_rows(lm.source(TEXTS)):
        logits = lm.forward(lm.tokenizer.features(rows))["logits"].numpy()
        for i, (start, end) in enumerate(zip(rows.splits[:-1], rows.splits[1:], strict=True)):
            ids = rows.values("input_ids")[start:end]
            steps = logits[i, : len(ids) - 1].astype(float)
            chosen = steps[np.arange(len(ids) - 1), ids[1:]]
            losses.extend(np.log(np.exp(steps).sum(1)) - chosen)
    assert report.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert report.perplexity == pytest.approx(np.exp(np.mean(losses)), rel=1e-4)


@pytest.mark.slow
def test_options_are_kept_and_served(lm, tmp_path):
    lm.save(tmp_path / "lm")
    task = tfnlp.load(tmp_path / "lm")
    task.configure_generation(max_new_tokens=4, num_beams=2, num_return_sequences=2)
    task.save(tmp_path / "lm")
    kept = json.loads((tmp_path / "lm" / "generation_config.json").read_text())
    assert kept["max_new_tokens"] == 4 and kept["num_beams"] == 2
    assert "generation" not in json.loads((tmp_path / "lm" / "tfnlp.json").read_text())["settings"]
    task.export(tmp_path / "1", samples=TEXTS)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    answers = as_numpy(served(text=tf.constant(TEXTS)))
    assert set(answers) == {"generated_text", "scores"}
    expected = [[one.text for one in several] for several in tfnlp.load(tmp_path / "lm").predict(TEXTS)]
    assert [[text.decode() for text in row] for row in answers["generated_text"]] == expected
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many tokens"):
        served(text=tf.constant(["Ada " * 70]))
    chat = [{"role": "user", "content": "Ada lives"}]
    written = task.tokenizer.hf.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    chats = tf.saved_model.load(str(tmp_path / "1")).signatures["chat"]
    answer = chats(rendered=tf.constant([written]))["generated_text"][0, 0].numpy().decode()
    assert answer == task.predict([chat])[0][0].text


def served_without_python(directory, **inputs):
    """Answers as TensorFlow Serving gets them: by a session, in which inputs may be left out."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(directory))
        signature = loaded.signature_def["serving_default"]
        feeds = {signature.inputs[name].name: values for name, values in inputs.items()}
        names = {name: tensor.name for name, tensor in signature.outputs.items()}
        return session.run(names, feeds), set(signature.defaults)


@pytest.mark.slow
def test_options_are_inputs_of_a_signature(lm, tmp_path):
    lm.save(tmp_path / "lm")
    task = tfnlp.load(tmp_path / "lm")
    task.configure_generation(max_new_tokens=6, do_sample=True, temperature=0.7, seed=3)
    names = ["max_new_tokens", "temperature", "top_p", "seed"]
    task.export(tmp_path / "1", inputs=names)
    for options in ({}, {"max_new_tokens": 3, "temperature": 2.0}, {"seed": 5, "top_p": 0.4, "temperature": 3.0}):
        given = {name: [value] for name, value in options.items()}
        answers, optional = served_without_python(tmp_path / "1", text=TEXTS, **given)
        assert optional == set(names)
        made = [text.decode() for text in answers["generated_text"][:, 0]]
        assert made == [one.text for one in task.predict(TEXTS, **options)]
    of_each = [3 + i for i in range(len(TEXTS))]
    answers, _ = served_without_python(tmp_path / "1", text=TEXTS, max_new_tokens=of_each)
    made = [task.predict(TEXTS, max_new_tokens=count)[i].text for i, count in enumerate(of_each)]
    assert [text.decode() for text in answers["generated_text"][:, 0]] == made
    with pytest.raises(tf.errors.InvalidArgumentError, match="`temperature` must be greater than 0"):
        served_without_python(tmp_path / "1", text=TEXTS, temperature=[0.0])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["temprature"],
            r"^`inputs`: a signature can't take `temprature`, only max_new.*Did you mean 'temperature'\?$",
        ),
        (
            ["temperature"],
            r"^`inputs`: `temperature` needs sampling: first call `configure_generation\(do_sample=True\)`",
        ),
        (["max_new_tokens"], r"^`inputs`: `max_new_tokens` needs a value for texts that come without: first call"),
    ],
)
def test_what_can_not_be_an_input_of_a_signature(lm, names, message, tmp_path):
    with pytest.raises(ArgumentError, match=message):
        lm.export(tmp_path / "1", inputs=names)


def test_other_numbers_need_no_other_graph(lm):
    lm.predict(TEXTS[:1], max_new_tokens=3, do_sample=True, top_p=0.9)
    before = len(lm._graphs)
    lm.predict(TEXTS, max_new_tokens=5, do_sample=True, top_p=0.5, temperature=1.2, seed=9)
    assert len(lm._graphs) == before


@pytest.mark.slow
def test_xla_makes_the_same_texts(lm):
    texts = [*TEXTS, "Ada"]
    for options in ({}, {"num_beams": 3}, {"do_sample": True, "seed": 4}, {"repetition_penalty": 1.4}):
        plain, compiled = (lm.predict(texts, max_new_tokens=9, compile=by, **options) for by in (False, True))
        assert [one.ids for one in plain] == [one.ids for one in compiled]


@pytest.mark.slow
def test_a_chat_is_learned_by_heart(tmp_path):
    options = {"initializer_range": 0.3, "eos_token_id": 2, **UNNAMED}
    task = build_task(CausalLM, "gpt2", tmp_path, options, max_length=48)
    task.tokenizer.hf.chat_template = TEMPLATE
    task.fit(CHATS, epochs=60, learning_rate=1e-2, verbose=0)
    answers = [task.chat(chat["messages"][0]["content"], max_new_tokens=4, stop_strings=["</s>"])[0] for chat in CHATS]
    assert [answer.split("<")[0] for answer in answers] == ["Ada", "Bob", "the"]
