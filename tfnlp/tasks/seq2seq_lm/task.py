"""`Seq2SeqLM`: texts to other texts, by networks with an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.checkpoints.sizes import position_limit
from tfnlp.data.batches import CHUNK, Target, chunked
from tfnlp.data.files import Record
from tfnlp.data.problems import as_text
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.generation.choosing import seq2seq_decoder
from tfnlp.replicas import shared_rows
from tfnlp.reports import TextReport
from tfnlp.rows import Column, Rows, as_numpy
from tfnlp.running import Outputs, Runner
from tfnlp.tasks import generating, text_inputs, token_learning
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.perplexity import labelled_batches, perplexity_of
from tfnlp.tasks.seq2seq_lm import windows
from tfnlp.tasks.seq2seq_lm.metrics import compared_texts, named_metrics
from tfnlp.tasks.seq2seq_lm.records import LAYOUT, checked_pairs
from tfnlp.tasks.seq2seq_lm.settings import Seq2SeqLMSettings
from tfnlp.tasks.seq2seq_lm.tokenizer import Seq2SeqTokenizer, decoder_inputs
from tfnlp.tasks.settings import Settings
from tfnlp.tasks.task import Task
from tfnlp.tasks.text_out import decoded, generations


@final
class Seq2SeqLM(Task):
    """Makes texts of texts: translations, summaries, answers.

    Example:
        lm = Seq2SeqLM.from_pretrained("google-t5/t5-small", prefix="summarize: ")
        lm.fit("train.csv", validation_data="dev.csv", epochs=3)
        lm.predict("A long article ...", num_beams=4)  # Generation('A summary.', ids=..., score=...)
    """

    auto_class: ClassVar[str] = "TFAutoModelForSeq2SeqLM"
    preprocessor_class: ClassVar[type[Any]] = Seq2SeqTokenizer
    settings_class: ClassVar[type[Settings]] = Seq2SeqLMSettings
    layout = LAYOUT
    unserved = property(text_inputs.unserved)
    answered_together = 512

    def __init__(self, checkpoint: Checkpoint, preprocessor: Seq2SeqTokenizer, learned: Learned) -> None:
        """Make the task, and choose its languages."""
        super().__init__(checkpoint, preprocessor, learned)
        named_metrics(self.settings.metrics)
        language = preprocessor.set_languages(self.settings.source_lang, self.settings.target_lang)
        if language is not None:
            is_forced = type(preprocessor.hf).__name__.startswith("MBart50")
            self.configure_generation(**{"forced_bos_token_id" if is_forced else "decoder_start_token_id": language})

    settings_of_others = classmethod(generating.settings_of_others)
    own_settings = property(generating.own_settings)
    generation = property(generating.generation)
    configure_generation = generating.configure_generation
    write_beside = generating.write_beside

    # Training

    def answer_to(self, record: Record) -> Any:
        """Return what is made of a record's text."""
        return self.predict(record["text"])

    @property
    def targets(self) -> dict[str, Target]:
        """The tokens of the target."""
        return {"logits": Target(is_ragged=True)}

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield rows of texts, what the decoder reads, and what it is to say."""
        number = 1
        for chunk in chunked(self._pairs(records), CHUNK):
            rows = shared_rows(self.checkpoint.strategy, chunk, self._rows_with_labels)
            labels = rows.columns["labels"]
            self._check_lengths(rows.lengths, np.diff(labels.splits), f"{records.name}: record", number)
            number += len(chunk)
            read = Column(decoder_inputs(labels, self.config, self._start_id), labels.splits)
            columns = {"input_ids": rows.columns["input_ids"], "decoder_input_ids": read}
            yield Rows(columns, rows.row_to_record, {"logits": labels})

    def _rows_with_labels(self, records: Sequence[Record]) -> Rows:
        rows = as_numpy(self.rows(self.tensors([{"text": record["text"]} for record in records]), self.settings))
        labels = self.tokenizer.target_ids([record["target"] for record in records])
        return rows._replace(columns={"input_ids": rows.columns["input_ids"], "labels": labels})

    def _pairs(self, records: Source) -> Iterator[Record]:
        return checked_pairs(records, source_lang=self.settings.source_lang)

    def _check_lengths(self, texts: np.ndarray, targets: np.ndarray, where: str, number: int) -> None:
        for part, name, lengths in (("text", "max_length", texts), ("target", "max_target_length", targets)):
            limit = getattr(self.settings, name)
            for i in np.flatnonzero(lengths > limit).tolist():
                raise DataError(
                    f"{where} {number + i}: its {part} has {lengths[i]} tokens, {lengths[i] - limit} more than "
                    f"`{name}={limit}`. Shorten it, or raise `{name}`."
                )

    @property
    def _start_id(self) -> int:
        """The token that the decoder starts with.

        Raises:
            ArgumentError: if the checkpoint names none.
        """
        for token in (self.generation.decoder_start_token_id, self.config.decoder_start_token_id):
            if token is not None:
                return token
        raise ArgumentError(
            "the checkpoint does not say which token its decoder starts with: pass `decoder_start_token_id`."
        )

    training_model = token_learning.training_model
    loss = token_learning.loss

    def evaluate(self, records: Any, *, metrics: str | None = None) -> TextReport:
        """Measure how well the targets' tokens are guessed, and by `metrics` how like them the texts are that are made.

        Args:
            records: a file, a list of records, a table or a dataset.
            metrics: `exact_match`, `bleu`, `chrf`, `rouge`, several with commas between; None: those of the settings.

        Raises:
            DataError: if a record can't be used.
            ArgumentError: if there is no such metric.
        """
        source = self.source(records)
        num_tokens = min(len(self.tokenizer.hf), self.checkpoint.vocab_size)
        batches = labelled_batches(self, self.training_rows(source))
        weighed = perplexity_of(self, batches, num_tokens=num_tokens, nothing="there is no target.")
        wanted = named_metrics(self.settings.metrics if metrics is None else metrics)
        scores: dict[str, float] = {}
        if wanted:
            pairs = list(self._pairs(source))
            made = self.predict([pair["text"] for pair in pairs], num_return_sequences=1)
            scores = compared_texts([one.text for one in made], [pair["target"] for pair in pairs], wanted)
        return TextReport(weighed.perplexity, weighed.accuracy, weighed.num_records, weighed.loss, scores)

    @property
    def main_metric(self) -> str:
        """The first metric that is asked for, or the share of tokens that are guessed."""
        first = next(iter(named_metrics(self.settings.metrics)), "accuracy")
        return "rougeL" if first == "rouge" else first

    # Making text

    predict = generating.predict
    generate = generating.generate
    stream = generating.stream
    summarize = windows.summarize
    continues: ClassVar[bool] = False  # texts are answers

    def answerer(self, settings: Seq2SeqLMSettings) -> Runner:
        """Return what makes text by options of generation."""
        config = getattr(self.config, "decoder", self.config)
        room = getattr(config, "max_decoder_position_embeddings", None) or position_limit(config, None)
        start_id = settings.generation.decoder_start_token_id
        start_id = self._start_id if start_id is None else start_id
        return generating.generator_of(
            self, self.tokenizer.of_texts, settings.generation,
            lambda has_room: seq2seq_decoder(self.head, start_id, room, has_room=has_room), longest=settings.max_length,
        )  # fmt: skip

    def as_record(self, given: Any, number: int) -> Record:
        """Check a text."""
        return {"text": as_text(given, number, may_be_empty=False), "number": number}

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return texts, string, or token ids, ragged int32; and numbers of each."""
        return text_inputs.tensors_of(self, records, ("text",))

    sample_inputs = generating.fitting_samples
    serving_inputs = property(text_inputs.serving_inputs)
    settings_for = text_inputs.settings_for
    optional_inputs = text_inputs.optional_inputs

    def rows(self, inputs: Tensors, settings: Seq2SeqLMSettings) -> Rows:
        """Make rows of texts, after their prefix."""
        if "input_ids" in inputs:
            rows = text_inputs.rows_of_ids(inputs)
        else:
            texts = tf.strings.join([settings.prefix, inputs["text"]]) if settings.prefix else inputs["text"]
            rows = self.tokenizer.of_texts.rows(texts)
        return text_inputs.with_numbers(rows, inputs, settings.generation)

    def decode(
        self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: Seq2SeqLMSettings
    ) -> dict[str, tf.Tensor]:
        """Write down what was made.

        Returns:
            `generated_text`, string, and `scores`, float32, of shape `(batch, num_return_sequences)`. Beside these,
            which are served, `token_ids` and `num_tokens`; see `text_out.decoded`.
        """
        return decoded(outputs, self.tokenizer, settings.generation.num_return_sequences)

    def answers(
        self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Seq2SeqLMSettings
    ) -> list[Any]:
        """Write down what was made of each text."""
        return generations(decoded, self.tokenizer.hf)
