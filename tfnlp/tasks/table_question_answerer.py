"""`TableQuestionAnswerer`: answers to questions about tables, by TAPAS. It is asked in Python only, and not trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, final

import numpy as np

from tfnlp._backend import tf
from tfnlp.checkpoints.directories import written_whole
from tfnlp.checkpoints.heads import LOCATION, AutoHead, load_config
from tfnlp.checkpoints.weights import SAFETENSORS, save_safetensors
from tfnlp.data.sources import text_problem
from tfnlp.errors import DataError, UnsupportedModelError, UnsupportedTokenizerError
from tfnlp.outputs import TableAnswer
from tfnlp.reports import AccuracyReport
from tfnlp.tasks.network import answers_for
from tfnlp.tokenization.pretrained import load_table_tokenizer

_AUTO_CLASS = "TFAutoModelForTableQuestionAnswering"


@final
class TableQuestionAnswerer:
    """Answers questions about tables with cells of them (Herzig et al. 2020, TAPAS).

    The tokenizer of TAPAS lays tables out in Python, with pandas, and gives no offsets. So this is no `TaskModel`: it
    can't be exported, and training is left to other tools.

    Example:
        answerer = TableQuestionAnswerer.from_pretrained("google/tapas-base-finetuned-wtq")
        answerer.predict({"table": {"name": ["Ada", "Bob"], "age": ["30", "40"]}, "query": "How old is Ada?"})
        # TableAnswer(text='30', coordinates=((0, 1),), cells=('30',), aggregator='NONE')

    Attributes:
        config: the Hugging Face configuration.
        hf: the Hugging Face tokenizer.
        head: the Hugging Face TensorFlow head, a Keras model.
    """

    def __init__(self, config: Any, hf: Any, head: Any) -> None:
        self.config, self.hf, self.head = config, hf, head

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, *, seed: int = 0, **location: Any) -> TableQuestionAnswerer:
        """Load a checkpoint that was trained for questions about tables.

        Args:
            name_or_path: a directory or a Hub name.
            seed: of weights that the checkpoint lacks.
            location: where to look (`revision`, `token` ...).

        Raises:
            CheckpointError: if the checkpoint is missing, incomplete or damaged.
            UnsupportedModelError: if it is not TAPAS's.
            VersionError: if pandas is missing, or newer than TAPAS's tokenizer knows.
        """
        unknown = sorted(set(location) - set(LOCATION))
        if unknown:
            raise TypeError(f"unknown options: {unknown}")
        config = load_config(name_or_path, **location)
        if config.model_type != "tapas":
            raise UnsupportedModelError(
                f"{name_or_path}: questions about tables need TAPAS, not {config.model_type!r}."
            )
        head = AutoHead(_AUTO_CLASS).from_pretrained(name_or_path, config=config, seed=seed, **location)
        return cls(config, load_table_tokenizer(name_or_path, **location), head)

    def __repr__(self) -> str:
        return f"TableQuestionAnswerer({self.config.model_type}, {self.config.num_aggregation_labels} aggregations)"

    def predict(self, inputs: Any) -> Any:
        """Answer questions about tables.

        Args:
            inputs: a dict of `table`, a `pandas.DataFrame` or a dict of columns, and `query`; a list of such dicts; or
                an iterable, whose answers then come as a generator. Of a table too long for a row of the network, the
                last rows are dropped, as transformers does.

        Returns:
            For one question a `TableAnswer`, for a list `Predictions`: a sequence of those.

        Raises:
            DataError: if a table or a question is empty, or an input is none of these.
        """
        if isinstance(inputs, Mapping):
            return next(self._answers([inputs]))
        return answers_for(inputs, self._answers)

    def _answers(self, inputs: Iterable[Any]) -> Iterator[TableAnswer]:
        for number, given in enumerate(inputs, start=1):
            yield self._answer(*_table_and_query(given, number))

    def _answer(self, table: Any, query: str) -> TableAnswer:
        with warnings.catch_warnings():  # of pandas 2, which pandas 3 made an error; 2026-11
            warnings.filterwarnings("ignore", "Series.__getitem__ treating keys as positions", FutureWarning)
            try:
                encoded = self.hf(table=table, queries=[query], truncation="drop_rows_to_fit", return_tensors="tf")
            except ValueError as error:  # too many columns, for example
                raise DataError(f"TAPAS can't read the table of {query!r:.80}: {error}.") from error
        outputs = self.head({name: tf.cast(values, tf.int32) for name, values in encoded.items()}, training=False)
        logits = [outputs.logits]
        has_aggregation = bool(self.config.aggregation_labels) and outputs.logits_aggregation is not None
        if has_aggregation:
            logits.append(outputs.logits_aggregation)
        (coordinates,), *found = self.hf.convert_logits_to_predictions(encoded, *logits)
        cells = tuple(str(table.iat[place]) for place in coordinates)
        name, prefix = "", ""
        if has_aggregation:
            (index,) = found[0]
            name = self.config.aggregation_labels[index]
            prefix = "" if index == self.config.no_aggregation_label_index else f"{name} > "
        return TableAnswer(prefix + ", ".join(cells), tuple(map(tuple, coordinates)), cells, name)

    def evaluate(self, records: Sequence[Mapping[str, Any]]) -> AccuracyReport:
        """Count how often just the right cells are chosen.

        Args:
            records: dicts of `table`, `query` and `answers`, the texts of the right cells.

        Raises:
            DataError: if a record can't be used.
        """
        missing = [number for number, record in enumerate(records, start=1) if "answers" not in record]
        if missing or not records:
            raise DataError(f"record {missing[0]}: `answers` is missing." if missing else "there are no records.")
        found = self.predict(list(records))
        right = [
            sorted(answer.cells) == sorted(map(str, record["answers"]))
            for answer, record in zip(found, records, strict=True)
        ]
        return AccuracyReport(float(np.mean(right)), len(right))

    def save(self, directory: str | Path) -> None:
        """Write configuration, tokenizer and `model.safetensors`, as `transformers` on PyTorch reads them.

        Raises:
            ArgumentError: if the directory holds something else than a checkpoint.
        """
        with written_whole(directory, marker="config.json") as target:
            self.config.architectures = [type(self.head).__name__.removeprefix("TF")]
            self.config.save_pretrained(str(target))
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


def _table_and_query(given: Any, number: int) -> tuple[Any, str]:
    if not isinstance(given, Mapping) or "table" not in given or "query" not in given:
        raise DataError(f"question {number}: expected a dict with 'table' and 'query'; found {given!r:.80}.")
    import pandas

    try:
        table = pandas.DataFrame(given["table"]).astype(str).astype(object)  # which is what TAPAS's tokenizer knows
    except ValueError as error:
        found = f"`table` must be a table or a dict of columns; found {given['table']!r:.80}."
        raise DataError(f"question {number}: {found}") from error
    problem = text_problem(given["query"], "query") or ("`table` is empty." if table.empty else None)
    if problem is not None:
        raise DataError(f"question {number}: {problem}")
    return table.reset_index(drop=True), given["query"]
