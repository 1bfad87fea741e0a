"""Compares the graph tokenizer with the checkpoint's own: on the user's texts, and on text that is hard to tokenize."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.graph_tokenizer import GraphTokenizer

_BATCH_SIZE = 256
DIFFICULT_TEXTS = (
    "",
    " ",
    "  two  spaces, \t tabs \r\n and lines\n\n",
    "don't stop; we'll say they'RE 's ''quoted'' ``twice'' !'s",
    "Zürich's café “Odéon” – naïve e\u0301 a\u0316\u0301 a\u0301\u0316 ﬁne Ⅷ ½ ª\u0301 ™ ﷺ",
    "İstanbul ıI ẞß ΣΑΣ ŒŦ ǅ",
    "北京の東京タワー 각가\u11a8 한국어 ไทยภาษา हिन्दी क़ தமிழ் العربية \u0600a עִבְרִית",
    "👩\u200d🚀 👍🏽 🇨🇭 ©\ufe0f #️⃣ \U0001d15e\U0001d165\U0001d16e",
    "\u0000\u0001\x1f\x7f\u0085\u00a0\u00ad\u200b\u200d\u2028\u3000\ufeff\ufffd\U0010fffd x",
    "1234567890 3.14 1,000 x1y2 ²³ ٣ ½",
    "▁under▁score __init__ ##ing <0x41> Ġthe </w>",
    "<s>a</s> <mask>b [MASK] [CLS][SEP] <unk> <pad> <|endoftext|> <extra_id_0>",
    "supercalifragilisticexpialidocious" * 4,
    "a" * 300 + " " + "ab" * 100 + "=" * 80,
)


@dataclass(frozen=True)
class Difference:
    """A text that the two tokenizers encode or decode otherwise.

    Attributes:
        text: the text.
        field: what differs: `input_ids`, `offsets` and so on, `decode`, or `decode with special tokens`.
        graph: what the graph gives.
        rust: what the Rust tokenizer gives.
    """

    text: str
    field: str
    graph: Any
    rust: Any


@dataclass(frozen=True)
class TokenizerCheck:
    """What a comparison found.

    Attributes:
        unsupported: why the tokenizer, or its way back to text, can't be compiled; None: it can.
        differences: the texts on which the two differ.
        num_texts: how many texts were compared.
        num_tokens: how many tokens they have.
        compile_seconds: how long compiling took; little where the tokenizer was compiled before.
        graph_rate: tokens a second of the graph, in batches of 256 texts.
        rust_rate: tokens a second of the Rust tokenizer, in the same batches.
    """

    unsupported: str | None
    differences: tuple[Difference, ...]
    num_texts: int = 0
    num_tokens: int = 0
    compile_seconds: float = 0.0
    graph_rate: float = 0.0
    rust_rate: float = 0.0

    @property
    def is_exact(self) -> bool:
        """Whether the tokenizer can be compiled, and nothing differs."""
        return self.unsupported is None and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if self.unsupported is not None:
            return f"not supported: {self.unsupported}"
        lines = [
            f"{len(self.differences)} differences in {self.num_texts:,} texts, {self.num_tokens:,} tokens",
            f"compiled in {self.compile_seconds:.2f} s; graph {self.graph_rate:,.0f} tokens/s, Rust "
            f"{self.rust_rate:,.0f} tokens/s, ratio {self.graph_rate / max(self.rust_rate, 1e-9):.2f}",
        ]
        shown = [f"{d.field} of {d.text[:80]!r}: graph {d.graph}, Rust {d.rust}" for d in self.differences[:10]]
        return "\n".join(lines + shown)


def check_tokenizer(tokenizer: Any, texts: Sequence[str] = (), *, decodes: bool = True) -> TokenizerCheck:
    """Compile a tokenizer, and compare it with the Rust tokenizer: ids, offsets, masks, word ids, text written again.

    Args:
        tokenizer: a Hugging Face fast tokenizer.
        texts: compared beside `DIFFICULT_TEXTS`.
        decodes: also compare the texts that are written of the ids.
    """
    start = time.perf_counter()
    try:
        graph = GraphTokenizer(tokenizer)
        compile_seconds = time.perf_counter() - start
        if decodes:
            graph.decode([[]])
    except UnsupportedTokenizerError as error:
        return TokenizerCheck(str(error), ())
    texts = [*DIFFICULT_TEXTS, *texts]
    graph(texts[:1])  # traces the graph
    differences: list[Difference] = []
    num_tokens, graph_seconds, rust_seconds = 0, 0.0, 0.0
    for batch in (texts[i : i + _BATCH_SIZE] for i in range(0, len(texts), _BATCH_SIZE)):
        start = time.perf_counter()
        encoded = graph(batch)
        middle = time.perf_counter()
        reference = tokenizer(batch, verbose=False)
        rust_seconds += time.perf_counter() - middle
        graph_seconds += middle - start
        num_tokens += int(encoded["input_ids"].flat_values.shape[0])
        differences += encoding_differences(batch, encoded, reference)
        if decodes:
            differences += decoding_differences(batch, graph, tokenizer, reference["input_ids"])
    rates = (num_tokens / seconds for seconds in (graph_seconds, rust_seconds))
    return TokenizerCheck(None, tuple(differences), len(texts), num_tokens, compile_seconds, *rates)


def encoding_differences(texts: Sequence[str], encoded: dict[str, Any], reference: Any) -> Iterator[Difference]:
    """Yield the first field of each text that differs.

    Args:
        texts: the texts.
        encoded: what the graph tokenizer returned for them.
        reference: the `BatchEncoding` that the Hugging Face tokenizer returned; one in Python gives ids alone.
    """
    if reference.is_fast:
        rows = [_fields_of(encoding) for encoding in reference.encodings]
    else:
        rows = [{"input_ids": ids} for ids in reference["input_ids"]]
    columns = {name: encoded[name].to_list() for name in (rows[0] if rows else ())}
    for i, (text, expected) in enumerate(zip(texts, rows, strict=True)):
        for name, theirs in expected.items():
            if columns[name][i] != theirs:
                yield Difference(text, name, columns[name][i], theirs)
                break


def _fields_of(encoding: Any) -> dict[str, list[Any]]:
    return {
        "input_ids": encoding.ids,
        "offsets": [list(offset) for offset in encoding.offsets],
        "token_type_ids": encoding.type_ids,
        "attention_mask": encoding.attention_mask,
        "special_tokens_mask": encoding.special_tokens_mask,
        "word_ids": [-1 if word is None else word for word in encoding.word_ids],
    }


def decoding_differences(
    texts: Sequence[str], graph: GraphTokenizer, tokenizer: Any, ids: list[list[int]]
) -> Iterator[Difference]:
    """Yield each text whose ids the two write otherwise, special tokens skipped or not."""
    for skips in (True, False):
        ours = [text.decode() for text in graph.decode(ids, skip_special_tokens=skips).numpy()]
        theirs = tokenizer.batch_decode(ids, skip_special_tokens=skips)
        for text, mine, other in zip(texts, ours, theirs, strict=True):
            if mine != other:
                yield Difference(text, "decode" if skips else "decode with special tokens", mine, other)
