"""`CausalLM`: text that goes on from a prompt, or answers in a chat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import Target
from tfnlp.data.files import Record
from tfnlp.data.plain_texts import text_source
from tfnlp.data.problems import as_text
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError, UnsupportedModelError
from tfnlp.generation.choosing import causal_decoder
from tfnlp.generation.decoders import Decoder
from tfnlp.reports import PerplexityReport
from tfnlp.rows import Column, Rows
from tfnlp.running import Outputs, Runner
from tfnlp.tasks import generating, text_inputs, token_learning
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.causal_lm.chats import rendered
from tfnlp.tasks.causal_lm.records import LAYOUT, Message, check_chat
from tfnlp.tasks.causal_lm.rows import LanguageRows
from tfnlp.tasks.causal_lm.settings import CausalLMSettings
from tfnlp.tasks.perplexity import labelled_batches, perplexity_of
from tfnlp.tasks.settings import Settings
from tfnlp.tasks.task import Task
from tfnlp.tasks.text_out import decoded, generations
from tfnlp.tokenization.tokenizer import TextTokenizer

_NOTHING_LEARNED = "no token follows another that is to be learned. Evaluate on more text."
# Their heads can't go on from a prompt as their PyTorch twins do, or only by an extra token that the tokenizer lacks.
_REFUSED = ("flaubert", "xlm")


@final
class CausalLM(Task):
    """Goes on from prompts, answers in chats, and learns from texts, prompts with completions, and chats.

    Example:
        lm = CausalLM.from_pretrained("gpt2")
        lm.predict("The capital of France is", max_new_tokens=5)  # Generation(' Paris, and it is', ids=..., score=...)
        lm.fit("book.txt", validation_data="held-out.txt", epochs=1)
    """

    auto_class: ClassVar[str] = "TFAutoModelForCausalLM"
    preprocessor_class: ClassVar[type[Any]] = TextTokenizer
    settings_class: ClassVar[type[Settings]] = CausalLMSettings
    layout = LAYOUT
    why_no_losses = "texts are joined to rows, which have the losses"
    unserved = property(text_inputs.unserved)
    answered_together = 512

    @classmethod
    def prepare(cls, checkpoint: Checkpoint, preprocessor: TextTokenizer) -> None:
        """Refuse what can't go on from prompts; let networks that also encode hide what follows from each token."""
        del preprocessor
        if checkpoint.config.model_type in _REFUSED:
            raise UnsupportedModelError(
                f"{checkpoint.config.model_type} can't go on from prompts here: it asks for a mask behind them, which "
                "transformers' TensorFlow head does not take in a graph. Use another architecture."
            )
        checkpoint.config.is_decoder = True

    settings_of_others = classmethod(generating.settings_of_others)
    own_settings = property(generating.own_settings)
    generation = property(generating.generation)
    configure_generation = generating.configure_generation
    write_beside = generating.write_beside

    # Training

    @property
    def targets(self) -> dict[str, Target]:
        """For each token, the one that follows, if it is to be learned."""
        return {"logits": Target(per_element=True)}

    def source(self, records: Any) -> Source:
        """Return records that can be read again and again, whatever holds them."""
        return text_source(records, self.layout)

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield rows, and for each token the one that follows.

        Raises:
            UnsupportedModelError: of XLNet.
        """
        if self.config.model_type == "xlnet":
            raise UnsupportedModelError(
                "XLNet learns from permutations of a text's tokens, which is not done here: it can be asked, and not "
                "trained or evaluated. Train another architecture."
            )
        settings = self.settings
        rows = LanguageRows(
            self.tokenizer, settings.max_length, settings.line_by_line, self._end_id, self.checkpoint.strategy
        )
        return rows.read(records)

    @property
    def _num_tokens(self) -> int:
        """How many tokens both the tokenizer and the network know."""
        return min(len(self.tokenizer.hf), self.checkpoint.vocab_size)

    @property
    def _end_id(self) -> int | None:
        """The token that ends a text in training; None: there is none."""
        ends = (*self.generation.eos_token_id, self.tokenizer.hf.eos_token_id)
        return next((token for token in ends if token is not None and 0 <= token < self._num_tokens), None)

    training_model = token_learning.training_model
    loss = token_learning.loss

    def evaluate(self, records: Any) -> PerplexityReport:
        """Measure how well the tokens that follow are guessed: perplexity and accuracy.

        Args:
            records: a file, a list of texts or records, a table or a dataset.

        Raises:
            DataError: if a record can't be used.
        """
        batches = labelled_batches(self, self.training_rows(self.source(records)))
        return perplexity_of(self, batches, num_tokens=self._num_tokens, nothing=_NOTHING_LEARNED)

    @property
    def main_metric(self) -> str:
        """The share of tokens that are guessed."""
        return "accuracy"

    # Making text

    predict = generating.predict
    generate = generating.generate
    stream = generating.stream
    continues: ClassVar[bool] = True  # texts go on from prompts

    def chat(
        self, messages: str | Sequence[Message], *, history: Sequence[Message] = (), **options: Any
    ) -> tuple[str, list[Message]]:
        """Answer in a chat.

        Args:
            messages: what the user says; or dicts of `role` (`system`, `user`, `assistant`) and `content`, of which
                the last is the user's.
            history: messages before these, as this method returned them.
            options: as for `predict`.

        Returns:
            The answer, and all messages with it, to be passed on as `history`.

        Raises:
            ArgumentError: if the tokenizer has no chat template, or an option is wrong.
            DataError: if there is no message of the user to answer.
        """
        said = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        every: list[Message] = [*history, *said]
        if options.get("num_return_sequences", 1) != 1:
            raise ArgumentError("a chat has one answer: pass `num_return_sequences=1`.")
        text = self.predict([every], **{**options, "num_return_sequences": 1})[0].text.strip()
        return text, [*every, {"role": "assistant", "content": text}]

    def answerer(self, settings: CausalLMSettings) -> Runner:
        """Return what makes text by options of generation."""
        room = self.checkpoint.position_limit(None)

        def build(has_room: bool) -> Decoder | None:
            return causal_decoder(self.head, room, has_room=has_room)

        return generating.generator_of(self, self.tokenizer, settings.generation, build, longest=room)

    def as_record(self, given: Any, number: int) -> Record:
        """Check a text, or messages, which are written as the checkpoint's template has them."""
        if isinstance(given, (list, tuple)):
            check_chat(given)
            return {"rendered": rendered(self.tokenizer.hf, given, to_answer=True), "number": number}
        if isinstance(given, Mapping) and "role" in given:
            raise DataError(f"text {number}: this is a message. A chat is a list of messages: call `chat`.")
        return {"text": as_text(given, number, may_be_empty=False), "number": number}

    def prompt_ids(self, given: Any) -> list[int]:
        """Return the token ids of a prompt, as `generate` takes them, of a text or of messages."""
        return self.rows_of([self.as_record(given, 1)]).values("input_ids").tolist()

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return texts, string, or token ids, ragged int32; and numbers of each."""
        return text_inputs.tensors_of(self, records, ("text", "rendered"))

    @property
    def other_signatures(self) -> dict[str, dict[str, tf.TensorSpec]]:  # type: ignore[override]
        """Of a model that chats, `chat`: it takes messages as the tokenizer's template writes them."""
        chats = self.tokenizer.hf.chat_template and self.tokenizer.is_compiled
        return {"chat": {"rendered": tf.TensorSpec([None], tf.string, name="rendered")}} if chats else {}

    sample_inputs = generating.fitting_samples
    serving_inputs = property(text_inputs.serving_inputs)
    settings_for = text_inputs.settings_for
    optional_inputs = text_inputs.optional_inputs

    def rows(self, inputs: Tensors, settings: CausalLMSettings) -> Rows:
        """Make rows of prompts, without the special tokens that close a text."""
        if "input_ids" in inputs:
            rows = text_inputs.rows_of_ids(inputs)
        elif "rendered" in inputs:
            rows = self.tokenizer.rows(inputs["rendered"], add_special_tokens=False)
        else:
            rows = self.tokenizer.opened_rows(inputs["text"])
        return text_inputs.with_numbers(rows, inputs, settings.generation)

    def decode(self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: CausalLMSettings) -> dict[str, tf.Tensor]:
        """Write down what was made.

        Returns:
            `generated_text`, string, and `scores`, float32, of shape `(batch, num_return_sequences)`. Beside these,
            which are served, `token_ids` and `num_tokens`; see `text_out.decoded`.
        """
        prompts = Column(rows.values("input_ids"), rows.splits)
        return decoded(outputs, self.tokenizer, settings.generation.num_return_sequences, prompts=prompts)

    def answers(
        self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: CausalLMSettings
    ) -> list[Any]:
        """Write down what was made for each prompt."""
        prompts = None if "generated_text" in decoded else self._prompts(records, settings)
        return generations(decoded, self.tokenizer.hf, prompts=prompts)

    def _prompts(self, records: Sequence[Record], settings: CausalLMSettings) -> list[list[int]]:
        rows = self.rows_of(records, settings)
        return [ids.tolist() for ids in np.split(rows.values("input_ids"), rows.splits[1:-1])]
