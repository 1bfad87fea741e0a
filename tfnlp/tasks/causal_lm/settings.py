"""What a `CausalLM` remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfnlp.generation.options import GenerationOptions
from tfnlp.tasks.settings import Settings


@dataclass(frozen=True)
class CausalLMSettings(Settings):
    """What a `CausalLM` remembers.

    Attributes:
        line_by_line: in training, each text is a row of its own; else texts are joined and cut into rows of
            `max_length` tokens.
        generation: how text is made; kept in `generation_config.json`.
    """

    line_by_line: bool = False
    generation: GenerationOptions = field(default_factory=GenerationOptions)
