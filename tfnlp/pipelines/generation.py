"""Pipelines that answer with texts: `text-generation`, `text2text-generation`, `summarization`, `translation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar

from tfnlp.errors import ArgumentError, did_you_mean
from tfnlp.generation.options import GenerationOptions
from tfnlp.outputs import Generation, Generations
from tfnlp.pipelines.base import WITHOUT_EFFECT, Pipeline

_OPTIONS = [field.name for field in fields(GenerationOptions)]
_MOST = 256  # new tokens, where nothing else is said


class _GenerationPipeline(Pipeline):
    """Makes texts; takes all options of generation."""

    defaults: ClassVar[dict[str, Any]]  # of transformers' pipeline, which come before the checkpoint's
    own_options: ClassVar[tuple[str, ...]]

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        allowed = [*self.own_options, *_OPTIONS]
        for name in options:
            if name not in (*allowed, *WITHOUT_EFFECT):
                raise ArgumentError(f"`{name}` is no option of this pipeline.{did_you_mean(name, allowed)}")
        return {name: value for name, value in options.items() if name not in WITHOUT_EFFECT}

    def _made(self, ask: Any, inputs: list[Any], options: dict[str, Any]) -> list[Sequence[Generation]]:
        """Ask the task; `options` are those of a call."""
        given = {name: value for name, value in options.items() if name in _OPTIONS}
        chosen = self.defaults | given
        if "max_new_tokens" not in given and ("max_length" in given or self.task.generation.max_length is not None):
            chosen.pop("max_new_tokens", None)
        return [made if isinstance(made, Generations) else [made] for made in ask(inputs, **chosen)]


class TextGenerationPipeline(_GenerationPipeline):
    """`text-generation`."""

    defaults: ClassVar[dict[str, Any]] = {"max_new_tokens": _MOST, "do_sample": True, "temperature": 0.7}
    own_options = ("return_full_text", "clean_up_tokenization_spaces")

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Go on from a text or from a chat, a list of messages; from each of a list of either."""
        if isinstance(inputs, (list, tuple)) and inputs and isinstance(inputs[0], Mapping):
            return self.answers([inputs], **self.options | self._checked(options))[0]
        return super().__call__(inputs, **options)

    def answers(self, inputs: list[Any], **options: Any) -> list[Any]:
        """Return for each text, or chat, a list of dicts of `generated_text`, with the prompt."""
        prompts = [self.task.prompt_ids(given) for given in inputs]
        made = self._made(self.task.generate, prompts, options)
        cleans = options.get("clean_up_tokenization_spaces", True)
        answers = []
        for given, prompt, several in zip(inputs, prompts, made, strict=True):
            before = len(self._text(prompt, cleans))
            new = [self._text([*prompt, *one.ids], cleans)[before:] for one in several]
            is_full = options.get("return_full_text", True)
            answers.append([{"generated_text": self._whole(given, text) if is_full else text} for text in new])
        return answers

    def _text(self, ids: list[int], cleans: bool) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=cleans)

    def _whole(self, given: Any, text: str) -> Any:
        if isinstance(given, str):
            return given + text
        return [*given, {"role": "assistant", "content": text}]


class Text2TextGenerationPipeline(_GenerationPipeline):
    """`text2text-generation`."""

    name: ClassVar[str] = "generated"
    defaults: ClassVar[dict[str, Any]] = {"max_new_tokens": _MOST, "num_beams": 4}
    own_options = ("clean_up_tokenization_spaces",)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Answer a text by a list, a list of texts by a dict each, or by lists where several are asked for."""
        answers = super().__call__(inputs, **options)
        if isinstance(inputs, list) and all(len(several) == 1 for several in answers):
            return [several[0] for several in answers]
        return answers

    def answers(self, inputs: list[str], **options: Any) -> list[Any]:
        """Return for each text a list of dicts."""
        cleans = options.get("clean_up_tokenization_spaces", False)
        decode = self.tokenizer.decode
        return [
            [
                {f"{self.name}_text": decode(one.ids, skip_special_tokens=True, clean_up_tokenization_spaces=cleans)}
                for one in several
            ]
            for several in self._made(self.task.predict, inputs, options)
        ]


class SummarizationPipeline(Text2TextGenerationPipeline):
    """`summarization`."""

    name: ClassVar[str] = "summary"


class TranslationPipeline(Text2TextGenerationPipeline):
    """`translation`, or `translation_xx_to_yy`."""

    name: ClassVar[str] = "translation"
