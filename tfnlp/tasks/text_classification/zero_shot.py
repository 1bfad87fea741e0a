"""`ZeroShotClassifier`: labels that nobody trained: does the text entail that it is about each of them?"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np

from tfnlp._backend import tf
from tfnlp.checkpoints.directories import (
    SETTINGS_FILE,
    holds_checkpoint,
    read_settings,
    write_settings,
    written_whole,
)
from tfnlp.checkpoints.heads import LOCATION, find_file
from tfnlp.data.pipeline import CHUNK
from tfnlp.data.sources import as_source, as_text
from tfnlp.errors import ArgumentError, DataError, LabelError
from tfnlp.export import export_saved_model
from tfnlp.labels import LabelMap
from tfnlp.outputs import Label, Labels
from tfnlp.reports import ClassificationReport
from tfnlp.tasks.prediction import answers_for, numbered, records_of
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.text_classification.decoding import are_close, ranked_labels
from tfnlp.tasks.text_classification.kinds import TEXT_PROBLEMS
from tfnlp.tasks.text_classification.metrics import multi_label_report, single_label_report
from tfnlp.tasks.text_classification.records import LAYOUT, MULTI, SINGLE, checked_examples
from tfnlp.tasks.text_classification.task import SequenceClassifier
from tfnlp.tokenization.tokenizer import Tokenizer

_PREDICTED_TOGETHER = 512  # pairs of a text and a label
_SAMPLE_LABELS = ("science", "travel", "food")


@final
class ZeroShotClassifier:
    """Classifies texts by labels that are given with them, over a classifier of natural language inference.

    Yin, Hay and Roth, "Benchmarking zero-shot text classification" (2019); answers as transformers' pipeline.

    Example:
        zero_shot = ZeroShotClassifier.from_pretrained("roberta-large-mnli")
        zero_shot.predict("The cat sat on the mat.", ["pets", "politics"])  # [Label(name='pets', ...), ...]

    Attributes:
        nli: the classifier of pairs of a text and a hypothesis.
        hypothesis_template: the hypothesis, `{}` for the label.
        multi_label: whether each label is right or wrong by itself; else their scores add up to 1.
    """

    layout = LAYOUT

    def __init__(
        self,
        nli: SequenceClassifier,
        *,
        hypothesis_template: str = "This example is {}.",
        multi_label: bool = False,
    ) -> None:
        """Take a classifier whose labels say whether a text entails a hypothesis.

        It serves as it is, but for two settings: it reads pairs, and of one that is too long the text becomes windows.

        Raises:
            LabelError: if no label of it does.
            ArgumentError: if the template has no place for the label.
        """
        if hypothesis_template.count("{}") != 1:
            raise ArgumentError(f"`hypothesis_template` needs one `{{}}` for the label; it is {hypothesis_template!r}.")
        names = [name.lower() for name in nli.known_labels.names]
        if nli.problem_type not in (SINGLE, None) or not any(name.startswith("entail") for name in names):
            raise LabelError(
                f"a classifier of natural language inference has a label 'entailment'; this one's are {names}. Use a "
                "checkpoint that was trained on MNLI or the like."
            )
        _ = nli.forward  # built once, for both
        self.nli = copy.copy(nli)
        self.nli.settings = replace(nli.settings, pairs=True, truncation="only_first")
        self.hypothesis_template = hypothesis_template
        self.multi_label = multi_label
        self._entailment = next(i for i, name in enumerate(names) if name.startswith("entail"))
        by_place = len(names) - 1 if self._entailment == 0 else 0  # where the name does not tell
        self._contradiction = next((i for i, name in enumerate(names) if name.startswith("contra")), by_place)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        hypothesis_template: str | None = None,
        multi_label: bool | None = None,
        **options: Any,
    ) -> ZeroShotClassifier:
        """Make one from a checkpoint that was trained on natural language inference.

        Args:
            name_or_path: a directory or a Hub name. One that `save` wrote brings its settings along.
            hypothesis_template: the hypothesis, `{}` for the label; None: the saved one, or "This example is {}.".
            multi_label: whether each label is right or wrong by itself; None: as saved, or no.
            options: as in `SequenceClassifier.from_pretrained`.

        Raises:
            CheckpointError: if the checkpoint is missing, incomplete or damaged.
            LabelError: if it has no label for entailment.
        """
        location = {key: options[key] for key in LOCATION if key in options}
        file = find_file(name_or_path, SETTINGS_FILE, **location)
        name, saved = read_settings(file) if file is not None else ("", {})
        given = {"hypothesis_template": hypothesis_template, "multi_label": multi_label}
        own: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if name == cls.__name__:
            own = {key: saved.pop(key) for key in given} | own
            if "max_length" in options:
                saved.pop("stride")  # it was chosen for the saved length
            options = saved | options
        return cls(SequenceClassifier.from_pretrained(name_or_path, **options), **own)

    def __repr__(self) -> str:
        return f"ZeroShotClassifier({self.nli!r}, {self.hypothesis_template!r}, multi_label={self.multi_label})"

    def predict(self, texts: Any, labels: Sequence[str], *, multi_label: bool | None = None) -> Any:
        """Score labels for texts.

        Args:
            texts: a text, or a dict of `text`; a list of them; or an iterable, whose answers then come as a generator.
            labels: to choose among; all are scored.
            multi_label: another than the classifier's own.

        Returns:
            `Labels` for one text, the likeliest first, else `Predictions`: a sequence of those.

        Raises:
            ArgumentError: if there is no label, or one twice.
            DataError: if a text is no string.
        """
        if isinstance(labels, str) or not labels or len(set(labels)) < len(labels):
            raise ArgumentError(f"`labels` must be a list of different labels, at least one; it is {labels!r}.")
        wanted = self.multi_label if multi_label is None else multi_label
        answers = partial(self._answers, labels=tuple(labels), multi_label=wanted)
        return answers_for(texts, answers, is_one=isinstance(texts, (str, dict)))

    def _answers(self, texts: Iterable[Any], labels: tuple[str, ...], multi_label: bool) -> Iterator[Labels]:
        hypotheses = [self.hypothesis_template.replace("{}", label) for label in labels]
        for _, chunk in records_of(texts, max(1, _PREDICTED_TOGETHER // len(labels)), as_text):
            logits = self.nli.logits([(text, hypothesis) for text in chunk for hypothesis in hypotheses])
            logits = logits.reshape(len(chunk), len(labels), -1)
            is_apart = multi_label or len(labels) == 1
            compared = (
                logits[..., [self._contradiction, self._entailment]] if is_apart else logits[..., self._entailment]
            )
            powers = np.exp(compared - compared.max(-1, keepdims=True))
            scores = powers / powers.sum(-1, keepdims=True)
            yield from (ranked_labels(labels, found) for found in (scores[..., 1] if is_apart else scores))

    def evaluate(self, records: Any, *, labels: Sequence[str] | None = None) -> ClassificationReport:
        """Compare answers with labels; where `multi_label`, those with a score of 0.5 or more are the answer.

        Args:
            records: a file, a list of records, a table or a dataset, with texts and their labels.
            labels: to choose among; None: all that the records have.

        Raises:
            DataError: if a record can't be used.
            LabelError: if a record's label is not among the labels.
        """
        source = as_source(records, self.layout)
        kind = TEXT_PROBLEMS[MULTI if self.multi_label else SINGLE]
        problem = kind(kind.labels_of(source) if labels is None else LabelMap(tuple(labels)))
        names = problem.labels.names
        gold, scores = [], []
        for start, chunk in numbered(checked_examples(source, kind.type), CHUNK):
            if any(record["text_pair"] is not None for record in chunk):
                raise DataError(f"{source.name}: expected one text in each record; found pairs.")
            gold.append(problem.checked_gold(chunk, f"{source.name}: record", start))
            for answer in self.predict([record["text"] for record in chunk], names):
                by_name = {label.name: label.score for label in answer}
                scores.append([by_name[name] for name in names])
        right, found = np.concatenate(gold), np.array(scores)
        if self.multi_label:
            return multi_label_report(names, right > 0, found >= 0.5)
        return single_label_report(names, right, found.argmax(1))

    # Files

    def save(self, directory: str | Path) -> None:
        """Write what `SequenceClassifier.save` writes, and this task's settings; `tfnlp.load` reads it.

        Raises:
            ArgumentError: if the directory holds something else than a checkpoint.
        """
        own = {"hypothesis_template": self.hypothesis_template, "multi_label": self.multi_label}
        with written_whole(directory, is_older=holds_checkpoint) as target:
            self.nli.write_into(target)
            write_settings(target, type(self).__name__, asdict(self.nli.settings) | own)

    # Serving

    def export(self, directory: str | Path, *, samples: Sequence[str] = ()) -> None:
        """Write a SavedModel that takes texts and labels: `text`, `[batch]`, and `labels`, `[batch, labels]`.

        Its outputs are `labels` and `scores`, of shape `[batch, labels]`, the likeliest first.

        Args:
            directory: where to write.
            samples: texts of your own to compare with `predict`.

        Raises:
            ExportError: if an answer differs; nothing is left in the directory then.
            UnsupportedTokenizerError: if the tokenizer can't be compiled into the graph.
        """
        export_saved_model(self, directory, samples=samples)

    def add_tokens(self, tokens: Sequence[str], *, special: bool = False) -> int:
        """Add tokens to `nli`; see `TaskModel.add_tokens`."""
        return self.nli.add_tokens(tokens, special=special)

    @property
    def tokenizer(self) -> Tokenizer:
        """The checkpoint's tokenizer."""
        return self.nli.tokenizer

    @property
    def settings(self) -> Settings:
        """The settings of `nli`."""
        return self.nli.settings

    @property
    def model(self) -> Any:
        """The plain Keras model of `nli`."""
        return self.nli.model

    @property
    def forward(self) -> Any:
        """The network of `nli` as one graph."""
        return self.nli.forward

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """Texts, and the labels to choose among for each."""
        return {
            "text": tf.TensorSpec([None], tf.string, name="text"),
            "labels": tf.TensorSpec([None, None], tf.string, name="labels"),
        }

    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, list[Any]]:
        """Return texts, each with the same few labels, by which an exported model is compared."""
        return {"text": list(inputs), "labels": [list(_SAMPLE_LABELS) for _ in inputs]}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Return the texts."""
        return list(texts)

    def serving_outputs(self, *, text: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer in the graph.

        Args:
            text: Shape `(batch,)`, string.
            labels: Shape `(batch, labels)`, string.

        Returns:
            `labels`, string, and `scores`, float32, of shape `(batch, labels)`, the likeliest first.
        """
        before, after = self.hypothesis_template.split("{}")
        shape = tf.shape(labels)
        hypotheses = tf.reshape(tf.strings.join([before, labels, after]), [-1])
        logits = self.nli.logits_in_graph(tf.repeat(text, shape[1]), hypotheses)
        logits = tf.reshape(logits, [shape[0], shape[1], len(self.nli.known_labels)])
        entailment = logits[..., self._entailment]
        apart = tf.math.sigmoid(entailment - logits[..., self._contradiction])
        together = tf.where(tf.equal(shape[1], 1), apart, tf.nn.softmax(entailment))
        scores = apart if self.multi_label else together
        order = tf.argsort(scores, direction="DESCENDING", stable=True)
        return {"labels": tf.gather(labels, order, batch_dims=1), "scores": tf.gather(scores, order, batch_dims=1)}

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers differ from `predict`'s; empty if they don't."""
        differences = []
        for i, (text, answer) in enumerate(zip(inputs, self.predict(list(inputs), _SAMPLE_LABELS), strict=True)):
            pairs = zip(served["labels"][i], served["scores"][i], strict=True)
            theirs = Labels(Label(name.decode(), float(score)) for name, score in pairs)
            if not are_close(theirs, answer):
                differences.append(f"{text[:80]!r}: served {theirs}, predicted {answer}")
        return differences
