"""What a `Seq2SeqLM` remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfnlp.generation.options import GenerationOptions
from tfnlp.tasks.settings import Settings


@dataclass(frozen=True)
class Seq2SeqLMSettings(Settings):
    """What a `Seq2SeqLM` remembers.

    Attributes:
        max_target_length: in training, the most tokens of a target.
        prefix: put before every text, as T5 was trained: `summarize: `.
        source_lang: the language of texts, for checkpoints of many (`en_XX`); empty: as the tokenizer has it.
        target_lang: the language to answer in, for checkpoints of many (`de_DE`); empty: as the checkpoint has it.
        metrics: by which `evaluate` compares texts that are made with targets: `exact_match`, `bleu`, `chrf`, `rouge`,
            several with commas between; empty: none is made, and targets are only weighed.
        generation: how text is made; kept in `generation_config.json`.
    """

    max_target_length: int = 128
    prefix: str = ""
    source_lang: str = ""
    target_lang: str = ""
    metrics: str = ""
    generation: GenerationOptions = field(default_factory=GenerationOptions)
