"""`TableQuestionAnswerer`: answers to questions about tables, by TAPAS. Trained and asked in Python, not served."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.directories import holds_checkpoint, written_whole
from tfnlp.checkpoints.heads import LOCATION, AutoHead, load_config, save_config
from tfnlp.checkpoints.vocabulary import extend_tokenizer, with_vocabulary
from tfnlp.checkpoints.weights import SAFETENSORS, save_safetensors
from tfnlp.data.batches import chunked
from tfnlp.data.files import Record
from tfnlp.data.sources import Source, as_source
from tfnlp.errors import ArgumentError, UnsupportedModelError, UnsupportedTokenizerError
from tfnlp.outputs import TableAnswer
from tfnlp.reports import AccuracyReport
from tfnlp.tasks.prediction import predicted
from tfnlp.tasks.table_question_answering.decoding import table_answer
from tfnlp.tasks.table_question_answering.network import training_model
from tfnlp.tasks.table_question_answering.records import (
    LAYOUT,
    Supervision,
    as_table_question,
    checked_table_questions,
)
from tfnlp.tasks.table_question_answering.rows import TableRows
from tfnlp.tokenization.pretrained import load_table_tokenizer
from tfnlp.training.callbacks import EpochReport, check_callbacks
from tfnlp.training.optimizer import create_training_variables
from tfnlp.training.recipe import Recipe

_ASKED_TOGETHER = 16  # questions, with tables of up to 512 tokens each


@final
class TableQuestionAnswerer:
    """Answers questions about tables with cells of them (Herzig et al. 2020, TAPAS).

    The tokenizer of TAPAS lays tables out in Python, with pandas, and gives no offsets. So this is no `Task`: it
    is trained and asked in Python, and can't be exported.

    Example:
        answerer = TableQuestionAnswerer.from_pretrained("google/tapas-base-finetuned-wtq")
        answerer.predict({"table": {"name": ["Ada", "Bob"], "age": ["30", "40"]}, "query": "How old is Ada?"})
        # TableAnswer(text='30', coordinates=((0, 1),), cells=('30',), aggregator='NONE', value=None)

    Attributes:
        config, hf, head: the Hugging Face configuration, tokenizer and TensorFlow head, a Keras model.
    """

    auto_class: ClassVar[str] = "TFAutoModelForTableQuestionAnswering"
    layout = LAYOUT

    def __init__(self, config: Any, hf: Any, head: Any) -> None:
        self.config, self.hf, self.head = config, hf, head

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        config: Any = None,
        max_length: int | None = None,
        seed: int = 0,
        **location: Any,
    ) -> TableQuestionAnswerer:
        """Load a checkpoint of TAPAS.

        Args:
            name_or_path: a directory or a Hub name.
            config: a `transformers.TapasConfig` to use instead of the checkpoint's: it says what is to be learnt.
            max_length: the most tokens in a question with its table. None: as the tokenizer says.
            seed: of weights that the checkpoint lacks.
            location: where to look (`revision`, `token` ...).

        Raises:
            CheckpointError: if the checkpoint is missing, incomplete or damaged.
            UnsupportedModelError: if it is not TAPAS's.
            VersionError: if pandas is missing, or newer than TAPAS's tokenizer knows.
            ArgumentError: if `max_length` is beyond the network's limit.
        """
        unknown = sorted(set(location) - set(LOCATION))
        if unknown:
            raise ArgumentError(f"a table question answerer has no options {unknown}.")
        config = load_config(name_or_path, **location) if config is None else config
        if config.model_type != "tapas":
            raise UnsupportedModelError(
                f"{name_or_path}: questions about tables need TAPAS, not {config.model_type!r}."
            )
        hf = load_table_tokenizer(name_or_path, **location)
        limit = config.max_position_embeddings
        if max_length is not None and not 0 < max_length <= limit:
            raise ArgumentError(f"`max_length` must be in [1, {limit}], the network's limit; it is {max_length}.")
        hf.model_max_length = max_length or min(hf.model_max_length, limit)
        head = AutoHead(cls.auto_class).from_pretrained(name_or_path, config=config, seed=seed, **location)
        return cls(config, hf, head)

    def __repr__(self) -> str:
        return f"TableQuestionAnswerer({self.config.model_type}, {self.config.num_aggregation_labels} aggregations)"

    @property
    def supervision(self) -> Supervision:
        """What it learns from, as its configuration tells."""
        count = self.config.num_aggregation_labels
        names = self.config.aggregation_labels or {i: str(i) for i in range(count)}
        return Supervision(tuple(names[i] for i in range(count)), bool(count and self.config.use_answer_as_supervision))

    @property
    def _rows(self) -> TableRows:
        return TableRows(self.hf, self.supervision)

    # Training

    def source(self, records: Any) -> Source:
        """Return records that can be read again and again."""
        return as_source(records, self.layout)

    def watched_metric(self, records: Source, validation: Source) -> str:
        """Return the number to watch while training."""
        del records, validation
        return "accuracy"

    def training_model(self, dataset: tf.data.Dataset) -> keras.Model:
        """Return the Keras model that is trained on the batches of a dataset; see `network.training_model`."""
        return training_model(self.head, self.supervision, dataset)

    def dataset(self, records: Any, *, batch_size: int = 16, shuffle: bool = False, seed: int = 0) -> tf.data.Dataset:
        """Build the `tf.data.Dataset` that `training_model` is made for. All rows are made now, and kept in memory.

        Args:
            records: a `.jsonl` file, a list of records or a dataset, as for `fit`.
            batch_size: rows in a batch. The last is filled up with rows that have been before.
            shuffle: draw the rows in another order in every epoch.
            seed: of that order.

        Returns:
            Dicts of `input_ids`, `attention_mask`, `labels` (int32, `(batch, length)`) and `token_type_ids` (int32,
            `(batch, length, 7)`), as long as the longest row. Also, as the configuration asks, `aggregation_labels`
            (int32, `(batch,)`); or `numeric_values`, `numeric_values_scale` (float32, `(batch, length)`) and
            `float_answer` (float32, `(batch,)`).
        """
        found = checked_table_questions(self.source(records), self.supervision, is_training=True)
        return self._rows.dataset(found, batch_size=batch_size, shuffle=shuffle, seed=seed)

    def fit(
        self,
        records: Any,
        validation_data: Any = None,
        *,
        callbacks: Sequence[Any] = (),
        verbose: str | int = "auto",
        **recipe: Any,
    ) -> keras.callbacks.History:
        """Train, with transformers' loss of TAPAS.

        Args:
            records: a `.jsonl` file, a list of records or a dataset: `table`, `query`, and `answers`, the texts of the
                right cells, or `answer_coordinates`, their rows and columns. Beside these, `aggregation_label` where
                the checkpoint learns what to do with the cells by name, `float_answer` where it learns that from the
                number that comes out.
            validation_data: the same, evaluated after every epoch: `val_accuracy` is in the logs.
            callbacks: Keras callbacks.
            verbose: as in `keras.Model.fit`.
            recipe: fields of `Recipe`: `epochs`, `batch_size`, `learning_rate`, `seed` ...

        Raises:
            DataError: if a record can't be used, or its table does not fit into a row of the network.
        """
        plan = Recipe.of(recipe)
        plan.refuse("label_weights", "label_smoothing")
        check_callbacks(callbacks, has_schedule=plan.optimizer is None)
        keras.utils.set_random_seed(plan.seed)
        dataset = self.dataset(records, batch_size=plan.batch_size, shuffle=True, seed=plan.seed)
        model = self.training_model(dataset)
        model.compile(optimizer=plan.build_optimizer(int(dataset.cardinality())))
        create_training_variables(model)
        if validation_data is not None:
            validation = self.source(validation_data)
            for _ in self._to_evaluate(validation):
                pass  # what is wrong shows now, and not after an epoch
            callbacks = [EpochReport(lambda: self.evaluate(validation)), *callbacks]
        return model.fit(dataset, epochs=plan.epochs, callbacks=list(callbacks), verbose=verbose)

    # Answering

    def predict(self, inputs: Any, *, drop_rows: bool = False) -> Any:
        """Answer questions about tables.

        Args:
            inputs: a dict of `table`, a `pandas.DataFrame` or a dict of columns, and `query`, or a pair of the two; a
                list of such; or an iterable, whose answers then come as a generator.
            drop_rows: of a table too long for a row of the network, leave out the last rows, as transformers does.

        Returns:
            For one question a `TableAnswer`, for a list `Predictions`: a sequence of those.

        Raises:
            DataError: if a table or a question is empty, a table is too long, or an input is none of these.
        """

        def answer(records: Sequence[Record], progress: Callable[[int, int], Any] | None = None) -> list[TableAnswer]:
            found: list[TableAnswer] = []
            for chunk in chunked(records, _ASKED_TOGETHER):
                found += self._answers(chunk, drop_rows)
                if progress is not None:
                    progress(len(found), len(records))
            return found

        is_one = isinstance(inputs, (Mapping, tuple))
        return predicted(inputs, answer, self.as_record, is_one=is_one, together=512)

    def as_record(self, given: Any, number: int) -> Record:
        """Check a table and a question."""
        return as_table_question(given, number) | {"number": number}

    def _answers(self, records: Sequence[Record], drop_rows: bool) -> list[TableAnswer]:
        """Answer questions in one batch."""
        encoded = self._rows.encode_together(records, drop_rows=drop_rows)
        outputs = self.head(encoded, training=False)
        logits = [outputs.logits]
        has_aggregation = bool(self.config.aggregation_labels) and outputs.logits_aggregation is not None
        if has_aggregation:
            logits.append(outputs.logits_aggregation)
        coordinates, *found = self.hf.convert_logits_to_predictions(encoded, *logits)
        aggregations = found[0] if has_aggregation else [None] * len(records)
        chosen = zip(records, coordinates, aggregations, strict=True)
        names = self.config.aggregation_labels or {}
        nothing = self.config.no_aggregation_label_index
        return [
            table_answer(record["table"], places, names.get(index, ""), is_none=index == nothing)
            for record, places, index in chosen
        ]

    # Evaluating

    def evaluate(self, records: Any) -> AccuracyReport:
        """Count how often the answer is right.

        It is if the cells hold the right texts and, where records name what is done with them, so does the answer; or
        if the number that comes out is `float_answer`, where the checkpoint learns from numbers.

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

    # Files

    def add_tokens(self, tokens: Sequence[str], *, special: bool = False) -> int:
        """Add tokens to the tokenizer, and rows for them to the network; see `Task.add_tokens`."""
        num_added = extend_tokenizer(self.hf, tokens, special=special)
        if len(self.hf) > self.config.vocab_size:
            self.head = with_vocabulary(self.head, self.auto_class, len(self.hf), seed=0)
        return num_added

    def save(self, directory: str | Path) -> None:
        """Write configuration, tokenizer and `model.safetensors`, as `transformers` on PyTorch reads them.

        Raises:
            ArgumentError: if the directory holds something else than a checkpoint.
        """
        with written_whole(directory, is_older=holds_checkpoint) as target:
            save_config(self.head, target)
            self.hf.save_pretrained(str(target))
            save_safetensors(self.head, target / SAFETENSORS)

    def export(self, directory: str | Path) -> NoReturn:
        """Say why it can't be exported.

        Raises:
            UnsupportedTokenizerError: always.
        """
        raise UnsupportedTokenizerError(
            f"{directory}: TAPAS can't be served from raw text: its tokenizer exists in Python only. Encode tables "
            "with `hf` beside the server, and serve `head` on token ids."
        )
