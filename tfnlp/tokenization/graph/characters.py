"""Characters to symbols: normalizer, alphabet and word boundaries of a tokenizer, fused into one table lookup.

A symbol is a small integer. All characters that the later steps treat alike share one, so a symbol is at once the
trie's code, the kind (of a word, space, punctuation, dropped) and, for marks, the canonical combining class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from tokenizers import normalizers, pre_tokenizers

from tfnlp._backend import tf
from tfnlp.tokenization.graph import probing
from tfnlp.tokenization.graph.probing import DROPPED, NUM_CODE_POINTS, PUNCTUATION, SPACE, WORD
from tfnlp.tokenization.graph.ragged import ranges, row_index
from tfnlp.tokenization.graph.trie import Table

_PAGE_BITS = 7
_LENGTH_BITS = 6  # a character becomes at most 63
UNKNOWN_SYMBOL = 0  # a character of a word that no key of the trie contains


@dataclass(frozen=True)
class Characters:
    """What each code point becomes, in two levels: page, then entry in the page.

    Attributes:
        pages: the page of each block of code points. int32.
        entries: for each code point of each distinct page, `start << 6 | length` of a run in `symbols`. int32.
        symbols: runs of symbols. int32.
        kinds: of each symbol, `WORD`, `SPACE`, `PUNCTUATION` or `DROPPED`. int32.
        combining_classes: of each symbol; 0 where no mark passes it. int32.
        is_movable: of each symbol, whether it is a mark that stays. bool. None: there is none, nothing is reordered.
        alphabet: the symbol of each character that the trie's keys contain.
        first_added: the symbol of the first added token; the others follow.
    """

    pages: Table
    entries: Table
    symbols: Table
    kinds: Table
    combining_classes: Table
    is_movable: Table | None
    alphabet: dict[str, int]
    first_added: int

    @property
    def num_symbols(self) -> int:
        """How many symbols there are."""
        return int(self.kinds.shape[0])


def compile_characters(
    normalizer: normalizers.BertNormalizer,
    pre_tokenizer: pre_tokenizers.PreTokenizer,
    alphabet: Iterable[str],
    num_added: int,
) -> Characters:
    """Fuse a BERT normalizer and pre-tokenizer into characters.

    Args:
        normalizer: the tokenizer's own; it is asked about every code point.
        pre_tokenizer: the tokenizer's own.
        alphabet: the characters that the trie's keys contain.
        num_added: how many added tokens stand in for code points from `NUM_CODE_POINTS` on.
    """
    runs, classes, is_dropped = _decomposed_runs(normalizer)
    is_used = np.zeros(NUM_CODE_POINTS, bool)
    is_used[runs.values[runs.starts[runs.lengths > 0]]] = True
    is_used[_later_values(runs)] = True
    points = np.flatnonzero(is_used).astype(np.int32)
    letters = sorted(set(alphabet))
    # Every code point of the output gets a key that says all the later steps need to know of it.
    kinds = np.full(len(points), WORD, np.int32)
    kept = ~is_dropped[points]
    kinds[~kept] = DROPPED
    kinds[kept] = probing.probe_kinds(pre_tokenizer, points[kept])
    letter_rank = np.zeros(NUM_CODE_POINTS, np.int64)
    letter_rank[[ord(letter) for letter in letters]] = np.arange(1, len(letters) + 1)
    rank = np.where(kept, letter_rank[points], 0)
    keys = (kinds.astype(np.int64) << 40) | (classes[points].astype(np.int64) << 32) | rank
    distinct, symbol = np.unique(np.concatenate([[WORD], keys]), return_inverse=True)  # the first is UNKNOWN_SYMBOL
    symbol_of = np.zeros(NUM_CODE_POINTS, np.int32)
    symbol_of[points] = symbol[1:]
    first_added = len(distinct)
    by_rank = {int(key & 0xFFFFFFFF): i for i, key in enumerate(distinct) if key & 0xFFFFFFFF}
    pages, entries, symbols = _paged(runs, symbol_of, first_added, num_added)
    kinds = np.concatenate([distinct >> 40, np.full(num_added, PUNCTUATION)]).astype(np.int32)
    combining_classes = np.concatenate([(distinct >> 32) & 0xFF, np.zeros(num_added)]).astype(np.int32)
    is_movable = (combining_classes > 0) & (kinds != DROPPED)
    return Characters(
        pages=pages,
        entries=entries,
        symbols=symbols,
        kinds=kinds,
        combining_classes=combining_classes,
        is_movable=is_movable if is_movable.any() else None,
        alphabet={letter: by_rank[i] for i, letter in enumerate(letters, start=1) if i in by_rank},
        first_added=first_added,
    )


def _decomposed_runs(normalizer: normalizers.BertNormalizer) -> tuple[probing.Runs, np.ndarray, np.ndarray]:
    """Return each code point's run, the combining class of each code point, and which are dropped.

    Where accents are stripped, the text is decomposed and its marks are put in canonical order first; marks that are
    then dropped still stand between those that are not (spacing marks such as the Javanese pangkon). So the runs
    keep what will be dropped, and the graph orders before it drops.
    """
    strips = normalizer.strip_accents if normalizer.strip_accents is not None else normalizer.lowercase
    if not strips:
        nothing = np.zeros(NUM_CODE_POINTS, np.int32)
        return probing.probe_runs(normalizer.normalize_str), nothing, nothing.astype(bool)
    clean = normalizers.BertNormalizer(normalizer.clean_text, normalizer.handle_chinese_chars, False, False)
    cleaned_and_decomposed = normalizers.Sequence([clean, normalizers.NFD()])
    strip = normalizers.BertNormalizer(False, False, True, False)
    lower = normalizers.Lowercase().normalize_str if normalizer.lowercase else str
    decomposed = probing.probe_runs(cleaned_and_decomposed.normalize_str)
    stripped = probing.probe_runs(strip.normalize_str)
    is_mark = stripped.lengths == 0
    lowered = probing.probe_runs(lower)
    return _lowered(decomposed, lowered, is_mark), probing.probe_combining_classes(), is_mark


def _lowered(runs: probing.Runs, lowered: probing.Runs, is_mark: np.ndarray) -> probing.Runs:
    """Lower each character of each run but the marks, which are dropped before anything is lowered."""
    points = np.flatnonzero(runs.lengths)
    lengths = runs.lengths[points]
    owner = np.repeat(points, lengths)
    values = runs.values[
        np.repeat(runs.starts[points] - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(owner))
    ]
    changes = ~is_mark[values]
    sizes = np.where(changes, lowered.lengths[values], 1)
    begins = np.cumsum(sizes) - sizes
    inner = np.arange(sizes.sum()) - np.repeat(begins, sizes)
    start = np.repeat(lowered.starts[values], sizes)
    repeated = np.repeat(values, sizes)
    final = np.where(
        np.repeat(changes, sizes), lowered.values[np.minimum(start + inner, len(lowered.values) - 1)], repeated
    )
    new_lengths = np.zeros(NUM_CODE_POINTS, np.int64)
    np.add.at(new_lengths, owner, sizes)
    return probing.Runs(np.cumsum(new_lengths) - new_lengths, new_lengths, final.astype(np.int32))


def _later_values(runs: probing.Runs) -> np.ndarray:
    """Return the values of all runs but each run's first."""
    longer = np.flatnonzero(runs.lengths > 1)
    rest = runs.lengths[longer] - 1
    inner = np.arange(rest.sum()) - np.repeat(np.cumsum(rest) - rest, rest)
    return runs.values[np.repeat(runs.starts[longer] + 1, rest) + inner]


def _paged(
    runs: probing.Runs, symbol_of: np.ndarray, first_added: int, num_added: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share equal runs of symbols and equal pages of code points."""
    entries = np.zeros(NUM_CODE_POINTS, np.int64)
    single = runs.lengths == 1
    symbols = list(range(first_added + num_added))  # the run of one symbol `s` begins at `s`
    entries[single] = (symbol_of[runs.values[runs.starts[single]]].astype(np.int64) << _LENGTH_BITS) | 1
    for length in np.unique(runs.lengths[runs.lengths > 1]):
        points = np.flatnonzero(runs.lengths == length)
        found = symbol_of[runs.values[runs.starts[points][:, None] + np.arange(length)]]
        distinct, place = np.unique(found, axis=0, return_inverse=True)
        entries[points] = (len(symbols) + place.ravel() * length) << _LENGTH_BITS | length
        symbols.extend(distinct.ravel())
    added = np.arange(first_added, first_added + num_added) << _LENGTH_BITS | 1
    padding = -num_added % (1 << _PAGE_BITS)
    blocks = np.concatenate([entries, added, np.zeros(padding, np.int64)]).astype(np.int32).reshape(-1, 1 << _PAGE_BITS)
    distinct, pages = np.unique(blocks, axis=0, return_inverse=True)
    return pages.astype(np.int32).ravel(), distinct.ravel(), np.array(symbols, np.int32)


def look_up(characters: Characters, code_points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Turn characters into symbols.

    Args:
        characters: the compiled characters.
        code_points: Shape `(characters,)`, int32; added tokens count from `NUM_CODE_POINTS`.

    Returns:
        The symbols and, for each, the index in `code_points` it came from, both of shape `(symbols,)`, int32.
    """
    page = tf.gather(characters.pages, tf.bitwise.right_shift(code_points, _PAGE_BITS))
    low = tf.bitwise.bitwise_and(code_points, (1 << _PAGE_BITS) - 1)
    entry = tf.gather(characters.entries, tf.bitwise.left_shift(page, _PAGE_BITS) + low)
    starts = tf.bitwise.right_shift(entry, _LENGTH_BITS)
    lengths = tf.bitwise.bitwise_and(entry, (1 << _LENGTH_BITS) - 1)

    def one_each() -> tuple[tf.Tensor, tf.Tensor]:
        return starts, tf.range(tf.size(starts))  # the run of one symbol begins at that very index

    def expanded() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(characters.symbols, ranges(starts, lengths)), row_index(lengths)

    return tf.cond(tf.reduce_all(tf.equal(lengths, 1)), one_each, expanded)


def reorder_marks(
    characters: Characters, symbols: tf.Tensor, source: tf.Tensor, segment: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Put the marks after each base character in canonical order, where any that is not dropped needs it.

    As in the Rust tokenizer, the order of sources stays: a mark that moves takes the place of the one it moves to.

    Args:
        characters: the compiled characters.
        symbols: Shape `(symbols,)`, int32.
        source: where each symbol came from. Shape `(symbols,)`, int32.
        segment: the separately normalized stretch that each symbol is part of, ascending. Shape `(symbols,)`, int32.

    Returns:
        Symbols and sources, in the new order.
    """
    if characters.is_movable is None:
        return symbols, source

    def ordered() -> tuple[tf.Tensor, tf.Tensor]:
        classes = tf.gather(characters.combining_classes, symbols)
        begins = tf.cast(tf.equal(classes, 0), tf.int32) + _changes(segment)
        key = tf.cast(tf.cumsum(begins), tf.int64) * 256 + tf.cast(classes, tf.int64)
        order = tf.argsort(key, stable=True)
        return tf.gather(symbols, order), _reordered_source(source, order)

    needs = tf.reduce_any(tf.gather(characters.is_movable, symbols))
    return tf.cond(needs, ordered, lambda: (symbols, source))


def _changes(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.not_equal(values, tf.concat([values[:1], values[:-1]], 0)), tf.int32)


def _reordered_source(source: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Hand sources out anew: the first symbol of each character takes the next character, the others stay with it."""
    first = tf.concat([tf.ones_like(source[:1]), _changes(source)[1:]], 0)
    taken = tf.cumsum(tf.gather(first, order)) - 1
    characters = tf.gather(source, tf.cast(tf.where(first > 0)[:, 0], tf.int32))
    return tf.gather(characters, tf.maximum(taken, 0))


def split_words(
    characters: Characters, symbols: tf.Tensor, source: tf.Tensor, segment: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Drop spaces and dropped marks, and find the words.

    Args:
        characters: the compiled characters.
        symbols: Shape `(symbols,)`, int32.
        source: where each symbol came from. Shape `(symbols,)`, int32.
        segment: the stretch that each symbol is part of; no word reaches over its end. Shape `(symbols,)`, int32.

    Returns:
        The symbols and sources that stay, shape `(kept,)`, then each word's start among them and length, shape
        `(words,)`; all int32.
    """
    kinds = tf.gather(characters.kinds, symbols)
    alone = tf.cast(tf.equal(kinds, PUNCTUATION), tf.int32)
    space = tf.cast(tf.equal(kinds, SPACE), tf.int32)
    after_alone = tf.concat([tf.zeros_like(alone[:1]), alone[:-1]], 0)
    word = tf.cumsum(alone + space + after_alone + _changes(segment))
    kept = tf.cast(tf.where(tf.equal(kinds, WORD) | tf.equal(kinds, PUNCTUATION))[:, 0], tf.int32)
    word = tf.gather(word, kept)
    begins = tf.not_equal(word, tf.concat([tf.fill([1], -1), word[:-1]], 0)[: tf.size(word)])
    starts = tf.cast(tf.where(begins)[:, 0], tf.int32)
    lengths = tf.concat([starts[1:], tf.shape(kept)], 0)[: tf.size(starts)] - starts
    return tf.gather(symbols, kept), tf.gather(source, kept), starts, lengths
