"""`TableQuestionAnswerer`: answers to questions about tables, by TAPAS."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np
from tqdm.auto import tqdm

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.checkpoints.tapas import IS_COUNTED, TapasLoss
from tfnlp.data.batches import CHUNK, Target, chunked
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, UnsupportedModelError
from tfnlp.outputs import TableAnswer
from tfnlp.precision import Precision
from tfnlp.reports import AccuracyReport
from tfnlp.rows import Rows
from tfnlp.running import Features, Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.network import per_element, per_row
from tfnlp.tasks.prediction import PROGRESS_AFTER
from tfnlp.tasks.settings import Settings
from tfnlp.tasks.table_question_answering.decoding import chosen_cells, table_answer
from tfnlp.tasks.table_question_answering.records import (
    LAYOUT,
    Supervision,
    as_table,
    as_table_question,
    checked_table_questions,
)
from tfnlp.tasks.table_question_answering.rows import table_rows, table_targets, training_row
from tfnlp.tasks.table_question_answering.settings import TableQuestionAnswererSettings
from tfnlp.tasks.table_question_answering.tokenizer import TableTokenizer
from tfnlp.tasks.task import Task
from tfnlp.training.recipe import Recipe

_FOR_NUMBERS = ("cell_selection_preference", "huber_loss_delta")  # what the loss of numbers needs


@final
class TableQuestionAnswerer(Task):
    """Answers questions about tables with cells of them (Herzig et al. 2020, TAPAS).

    The tokenizer of TAPAS lays tables out in Python, with pandas, so it trains and answers, and can't be exported.

    Example:
        answerer = TableQuestionAnswerer.from_pretrained("google/tapas-base-finetuned-wtq")
        answerer.predict({"table": {"name": ["Ada", "Bob"], "age": ["30", "40"]}, "query": "How old is Ada?"})
        # TableAnswer(text='30', coordinates=((0, 1),), cells=('30',), aggregator='NONE', value=None)
    """

    auto_class: ClassVar[str] = "TFAutoModelForTableQuestionAnswering"
    preprocessor_class = TableTokenizer
    settings_class: ClassVar[type[Settings]] = TableQuestionAnswererSettings
    answered_together = 512
    layout = LAYOUT
    why_no_losses = "TAPAS's loss is computed of whole batches"

    @classmethod
    def prepare(cls, checkpoint: Checkpoint, preprocessor: TableTokenizer) -> None:
        """Refuse what is not TAPAS, and what its head can't answer with."""
        config = checkpoint.config
        if config.model_type != "tapas":
            raise UnsupportedModelError(
                f"{checkpoint.name_or_path}: questions about tables need TAPAS, not {config.model_type!r}."
            )
        count, names = config.num_aggregation_labels, config.aggregation_labels
        if names and set(names) != set(range(count)):
            raise ArgumentError(
                f"{checkpoint.name_or_path}: `aggregation_labels` names {sorted(names)}, and `num_aggregation_labels` "
                f"is {count}: give each number below that a name, or none."
            )
        if not config.select_one_column:
            raise UnsupportedModelError(
                f"{checkpoint.name_or_path}: with `select_one_column=False` TAPAS's head can't answer, on PyTorch as "
                "well (transformers 4.57.6)."
            )

    @property
    def supervision(self) -> Supervision:
        """What it learns from, as its configuration tells."""
        count = self.config.num_aggregation_labels
        names = self.config.aggregation_labels or {i: str(i) for i in range(count)}
        return Supervision(tuple(names[i] for i in range(count)), bool(count and self.config.use_answer_as_supervision))

    def call_head(self, run: Callable[..., Any], inputs: Features) -> dict[str, Any]:
        """Run the head. Returns logits of tokens and, if there are aggregations, of those."""
        outputs_of_head = run(inputs)
        outputs = {"logits": outputs_of_head.logits, "logits_aggregation": outputs_of_head.logits_aggregation}
        return {name: values for name, values in outputs.items() if values is not None}

    def kept(self, outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
        """Keep the logits of tokens, and those of aggregations."""
        of_rows = per_row(outputs, features, inside)
        return {**of_rows, **per_element({"logits": outputs["logits"]}, features, inside)}

    # Training

    @property
    def targets(self) -> dict[str, Target]:
        """What the loss is given beside the features; `Supervision` tells what that is."""
        return table_targets(self.supervision)

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield a row for each question."""
        checked = checked_table_questions(records, self.supervision, is_training=True)
        shown = tqdm(checked, desc="lay out tables", unit="table", delay=PROGRESS_AFTER)
        for number, record in enumerate(shown, start=1):
            yield training_row(record, number, self.tokenizer, self.supervision, self.settings.max_length)

    def check_validation(self, records: Source) -> None:
        """Raise what is wrong with records that will be evaluated, tables that are too long among it."""
        for chunk in chunked(self._to_evaluate(records), CHUNK):
            self.rows_of(chunk)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return none: `training_model` computes transformers' own of TAPAS.

        Raises:
            ArgumentError: if the configuration lacks a number that learning from numbers needs.
        """
        recipe.refuse("label_weights", "label_smoothing")
        missing = [name for name in _FOR_NUMBERS if self.supervision.by_answer and getattr(self.config, name) is None]
        if missing:
            raise ArgumentError(
                f"the configuration lacks {missing}, which learning from numbers needs: give them to `from_pretrained`."
            )
        return {}

    def training_model(self, precision: Precision | None = None) -> keras.Model:
        """Return the Keras model that learns: features and targets in, logits out; its loss is transformers'."""
        head = self.head
        self.checkpoint.network(precision or "float32")  # raises: there is no network of ours
        with self.checkpoint.scope():
            inputs = {name: keras.Input(spec.shape, dtype=spec.dtype, name=name)
                      for name, spec in self.tokenizer.specs.items()}  # fmt: skip
            for name, target in self.targets.items():
                inputs[name] = keras.Input([None] if target.per_element else [], dtype=target.dtype, name=name)
            inputs[IS_COUNTED] = keras.Input([], dtype="float32", name=IS_COUNTED)
            return keras.Model(inputs, TapasLoss(head)(inputs), name="tablequestionanswerer")

    def model_inputs(self, features: Features, targets: Features) -> Features:
        """Put targets beside features, and which rows have targets."""
        num_rows = tf.shape(next(iter(targets.values())))[0]
        free = tf.cast(tf.equal(num_rows, 0), tf.int32)  # a replica without rows runs one that does not count
        filled = {
            name: tf.pad(
                values, [[0, free], *[[0, 0]] * (values.shape.rank - 1)], constant_values=self.targets[name].fill
            )
            for name, values in targets.items()
        }
        return {**features, **filled, IS_COUNTED: tf.pad(tf.ones([num_rows]), [[0, free]])}

    # Evaluation

    def evaluate(self, records: Any) -> AccuracyReport:
        """Count how often the answer is right.

        It is if the cells hold the right texts and, where records name what is done with them, so does the answer; or
        if the number that comes out is the right one, where the checkpoint learns from numbers.

        Args:
            records: a `.jsonl` file, a list of records or a dataset, as for `fit`; `answer_coordinates` are not needed.

        Raises:
            DataError: if a record can't be used.
        """
        records = list(self._to_evaluate(self.source(records)))
        answers = self.predict(records)
        right = [self._is_right(answer, record) for answer, record in zip(answers, records, strict=True)]
        return AccuracyReport(float(np.mean(right)), len(right))

    def _to_evaluate(self, source: Source) -> Iterator[Record]:
        return checked_table_questions(source, self.supervision, is_training=False)

    def _is_right(self, answer: TableAnswer, record: Record) -> bool:
        supervision = self.supervision
        if supervision.by_answer and answer.value is not None:
            return math.isclose(answer.value, record["float_answer"], rel_tol=1e-6)
        done = record["aggregation_label"]
        if supervision.by_name and done is not None and answer.aggregator != supervision.aggregations[done]:
            return False
        return sorted(answer.cells) == sorted(record["answers"])

    @property
    def main_metric(self) -> str:
        """The share of right answers."""
        return "accuracy"

    # Prediction

    def predict(self, inputs: Any, *, drop_rows: bool | None = None) -> Any:
        """Answer questions about tables.

        Args:
            inputs: a dict of `table`, a `pandas.DataFrame` or a dict of columns, and `query`, or a pair of the two; a
                list of such; or an iterable, whose answers then come as a generator.
            drop_rows: of a table too long for a row of the network, leave out the last rows, as transformers does.
                None: as the settings say.

        Returns:
            For one question a `TableAnswer`, for a list `Predictions`: a sequence of those.

        Raises:
            DataError: if a table or a question is empty, a table is too long, or an input is none of these.
        """
        settings = self.settings if drop_rows is None else replace(self.settings, drop_rows=drop_rows)
        return self.predict_by(inputs, is_one=isinstance(inputs, (Mapping, tuple)), settings=settings)

    def as_record(self, given: Any, number: int) -> Record:
        """Check a table and a question."""
        return as_table_question(given, number)

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """Tables, as JSON objects of `header` and `rows`, and questions."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in ("table", "query")}

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return tables and questions as strings. Shape `(batch,)`."""
        tables = [
            {"header": list(record["table"].columns), "rows": record["table"].values.tolist()} for record in records
        ]
        return {
            "table": tf.constant([json.dumps(table) for table in tables]),
            "query": tf.constant([record["query"] for record in records]),
        }

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Ask each text about a table that holds it."""
        return [({"text": [text]}, text) for text in texts if text.strip()]

    def rows(self, inputs: Tensors, settings: TableQuestionAnswererSettings) -> Rows:
        """Make a row of each question, in Python."""
        encoded = []
        for table, query in zip(inputs["table"].numpy(), inputs["query"].numpy(), strict=True):
            asked = query.decode()
            encoded.append(
                self.tokenizer.encode(
                    as_table(json.loads(table)), asked, where=f"question {asked!r:.80}",
                    max_length=settings.max_length, drop_rows=settings.drop_rows,
                )
            )  # fmt: skip
        rows = table_rows(encoded, self.tokenizer)
        return tf.nest.map_structure(lambda array: None if array is None else tf.constant(array), rows)

    def decode(self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: Settings) -> dict[str, tf.Tensor]:
        """Choose cells, and what is done with them.

        Returns:
            `coordinates`, row and column of each cell, int32, shape `(batch, most cells, 2)`, filled up with -1; and,
            if there are aggregations, the index of one, `aggregation`, int32, shape `(batch,)`.
        """
        answers = {"coordinates": chosen_cells(outputs["logits"], rows.values("token_type_ids"))}
        if "logits_aggregation" in outputs:
            answers["aggregation"] = tf.argmax(outputs["logits_aggregation"].values, 1, tf.int32)
        return answers

    def answers(self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Any) -> list[TableAnswer]:
        """Write cells down, and the number that comes out of them."""
        names, nothing = self.supervision.aggregations, self.config.no_aggregation_label_index
        aggregations = decoded.get("aggregation", np.full(len(records), -1)).tolist()
        answers = []
        for record, places, index in zip(records, decoded["coordinates"], aggregations, strict=True):
            cells = [(row, column) for row, column in places.tolist() if row >= 0]
            name = names[index] if index >= 0 else ""
            answers.append(table_answer(record["table"], cells, name, is_none=index == nothing))
        return answers
