"""Byte-pair encoding: neighbouring tokens are merged, the pair of lowest rank first, until no pair has a rank.

Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units" (2016).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tokenizers import models

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.models.byte_fallback import compile_byte_ids, with_bytes
from tfnlp.tokenization.graph.models.tokens import Tokens, Words, columns_of, fuse, in_word_order
from tfnlp.tokenization.graph.models.whole_words import Alphabet, WholeWords, build_alphabet, build_whole_words
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import byte_characters
from tfnlp.tokenization.graph.ragged import changes, following, preceding, true_indices
from tfnlp.tokenization.graph.tables import PairTable, Table, build_pair_table

_NO_RANK = np.iinfo(np.int32).max


@dataclass(frozen=True)
class BPE:
    """Compiled merges.

    Attributes:
        alphabet: the characters that are tokens.
        inner_ids: the token of each character, by its code; -1 where there is none. int32.
        first_ids: the same for a word's first character.
        last_ids: the same for its last, where entries that end a word bear a suffix.
        only_ids: the same for the only character of a word.
        whole: words that are one token.
        merges: the rank of each pair of tokens.
        merged_ids: the token that each merge makes, by rank. int32.
        in_order: whether no merge makes a token that a merge of lower rank needs, so that equal pairs merge at once.
        unknown_id: what stands for a character that is no token; -1: bytes do, or there is none such.
        fuses_unknown: whether neighbours that are unknown are one token.
        byte_ids: the token of each byte, for characters that are none. int32; None: no such tokens.
        longest: the length of the longest token in characters.
    """

    alphabet: Alphabet
    inner_ids: Table
    first_ids: Table
    last_ids: Table
    only_ids: Table
    whole: WholeWords
    merges: PairTable
    merged_ids: Table
    in_order: bool
    unknown_id: int
    fuses_unknown: bool
    byte_ids: Table | None
    longest: int

    def __call__(self, words: Words) -> Tokens:
        """Look every word up; merge those that are not one token."""
        codes = self.alphabet.codes(words.characters.points)
        whole, is_whole = self.whole(codes, words)

        def merged() -> tuple[tf.Tensor, ...]:
            in_pieces = true_indices(tf.gather(~is_whole, words.index))
            pieces = self._merged(self._initial(codes, words, in_pieces))
            kept = true_indices(is_whole)
            return columns_of(in_word_order([whole.taken(kept), pieces]))

        return Tokens(*tf.cond(tf.reduce_all(is_whole), lambda: columns_of(whole), merged))

    def _initial(self, codes: tf.Tensor, words: Words, position: tf.Tensor) -> Tokens:
        """Take each of some characters for a token, or for several where it is its bytes."""
        code, word = tf.gather(codes, position), tf.gather(words.index, position)
        is_first = tf.equal(position, tf.gather(words.starts, word))
        is_last = tf.equal(position + 1, tf.gather(words.ends, word))
        ids = tf.where(
            is_last,
            tf.where(is_first, tf.gather(self.only_ids, code), tf.gather(self.last_ids, code)),
            tf.where(is_first, tf.gather(self.first_ids, code), tf.gather(self.inner_ids, code)),
        )
        tokens = Tokens(ids, position, position + 1, word)
        is_unknown = ids < 0
        if self.byte_ids is not None:
            return with_bytes(words, tokens, is_unknown, self.byte_ids)
        tokens = replace(tokens, ids=tf.where(is_unknown, self.unknown_id, ids))
        return fuse(tokens, is_unknown) if self.fuses_unknown else tokens

    def _merged(self, tokens: Tokens) -> Tokens:
        """Merge until no pair has a rank.

        Words are independent of each other, so each merges its pair of lowest rank in every step, wherever it occurs.
        In a long word, pairs so far apart that no token could reach from one to the other are independent too: it is
        cut into tiles, each of which merges what has the lowest rank in it and its two neighbours. So the number of
        steps depends on the length of tokens, not on that of words.
        """
        size = tf.size(tokens.ids)
        index = tf.range(size)
        tile = self._tiles(tokens)
        starts_word = changes(tokens.words)
        vector = tf.TensorShape([None])

        def step(at: tf.Tensor, ids: tf.Tensor, result: tf.Tensor) -> tuple[tf.Tensor, ...]:
            """Merge once in each word that still can. `at`: the index of each token's first part."""
            joined = ~following(tf.gather(starts_word, at), True)
            rank = self.merges(ids, following(ids, 0))
            rank = tf.where(joined & (rank >= 0), rank, _NO_RANK)
            own = tf.gather(tile, at)
            least, reach = self._least(rank, own, tf.gather(tokens.words, at))
            merges = tf.equal(rank, least) & (rank < _NO_RANK)
            merges = _without_overlap(merges, rank) if self.in_order else _leftmost(merges, own)
            ids = tf.where(merges, tf.gather(self.merged_ids, tf.where(merges, rank, 0)), ids)
            result = tf.tensor_scatter_nd_update(result, at[:, None], ids)
            is_right = preceding(merges, False)
            gone = tf.boolean_mask(at, is_right)
            result = tf.tensor_scatter_nd_update(result, gone[:, None], tf.fill(tf.shape(gone), -1))
            stays = true_indices(~is_right & (reach < _NO_RANK))
            return tf.gather(at, stays), tf.gather(ids, stays), result

        _, _, result = tf.while_loop(
            lambda at, ids, result: tf.size(at) > 0,
            step,
            (index, tokens.ids, tokens.ids),
            shape_invariants=(vector, vector, vector),
        )
        stays = true_indices(result >= 0)
        word = tf.gather(tokens.words, stays)
        last = following(stays, 0) - 1
        last = tf.where(tf.range(tf.size(stays)) < tf.size(stays) - 1, last, size - 1)
        return Tokens(tf.gather(result, stays), tf.gather(tokens.starts, stays), tf.gather(tokens.ends, last), word)

    def _tiles(self, tokens: Tokens) -> tf.Tensor:
        """Number the tiles of words through: twice as long as any token, or whole words where order matters."""
        starts_word = changes(tokens.words)
        word = tf.cumsum(tf.cast(starts_word, tf.int32)) - 1
        if not self.in_order:
            return word
        position = tf.range(tf.size(word)) - tf.gather(true_indices(starts_word), word)
        return tf.cumsum(tf.cast(starts_word | tf.equal(position % (2 * self.longest), 0), tf.int32)) - 1

    def _least(self, rank: tf.Tensor, tile: tf.Tensor, word: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the least rank around each token, and the least of all its word; both of shape `(tokens,)`."""
        run = tf.cumsum(tf.cast(changes(tile), tf.int32)) - 1
        least = tf.math.segment_min(rank, run)
        first = true_indices(changes(tile))
        of_word = tf.gather(word, first)
        own_word = tf.cumsum(tf.cast(changes(of_word), tf.int32)) - 1
        in_word = tf.gather(tf.math.segment_min(least, own_word), own_word)
        before = tf.where(tf.equal(preceding(of_word, -1), of_word), preceding(least, _NO_RANK), _NO_RANK)
        after = tf.where(tf.equal(following(of_word, -1), of_word), following(least, _NO_RANK), _NO_RANK)
        around = tf.minimum(least, tf.minimum(before, after))
        return tf.gather(around, run), tf.gather(in_word, run)


def _without_overlap(merges: tf.Tensor, rank: tf.Tensor) -> tf.Tensor:
    """Of merges that share tokens (the pair `aa` in `aaaa`) keep the first, the third and so on.

    Where one of such a row has to wait for its neighbours, those after it wait too.
    """
    follows = tf.equal(rank, preceding(rank, -1)) & (rank < _NO_RANK)

    def alternate() -> tf.Tensor:
        row = tf.cumsum(tf.cast(~follows, tf.int32)) - 1
        begin = tf.gather(true_indices(~follows), row)
        waiting = tf.cumsum(tf.cast(~merges, tf.int32))
        waits = waiting > tf.gather(preceding(waiting, 0), begin)
        return merges & ~waits & tf.equal((tf.range(tf.size(row)) - begin) % 2, 0)

    return tf.cond(tf.reduce_any(merges & follows), alternate, lambda: merges)


def _leftmost(merges: tf.Tensor, tile: tf.Tensor) -> tf.Tensor:
    """Keep the first merge of each tile: where a merge may make way for one of lower rank, that alone is sure."""
    earlier = tf.cumsum(tf.cast(merges, tf.int32), exclusive=True)
    begins = changes(tile)
    row = tf.cumsum(tf.cast(begins, tf.int32)) - 1
    return merges & tf.equal(earlier, tf.gather(tf.boolean_mask(earlier, begins), row))


def compile_bpe(model: dict[str, Any], *, bytes_only: bool) -> BPE:
    """Compile the `model` of a `tokenizer.json`.

    Args:
        model: the model.
        bytes_only: whether its words are made of the characters of `byte_characters` alone.
    """
    if model["dropout"]:
        raise UnsupportedTokenizerError(
            f"`dropout={model['dropout']}` makes a tokenizer answer by chance, and is not reproduced in the graph. "
            "Set `tokenizer.backend_tokenizer.model.dropout = None`."
        )
    vocabulary = model["vocab"]
    prefix, suffix = model["continuing_subword_prefix"] or "", model["end_of_word_suffix"] or ""
    first, second, made = _merge_ids(model["merges"], vocabulary, len(prefix.encode()))
    alphabet, by_letter = build_alphabet(vocabulary)

    def ids(before: str, after: str) -> np.ndarray:
        found = np.full(alphabet.size, -1, np.int32)
        for letter, code in by_letter.items():
            found[code] = vocabulary.get(before + letter + after, -1)
        return found

    tables = {"inner": ids(prefix, ""), "first": ids("", ""), "last": ids(prefix, suffix), "only": ids("", suffix)}
    byte_ids = compile_byte_ids(vocabulary) if model["byte_fallback"] else None
    if byte_ids is not None and (prefix or suffix):
        raise UnsupportedTokenizerError(
            "`byte_fallback` together with `continuing_subword_prefix` or `end_of_word_suffix` is not reproduced in "
            "the graph."
        )
    unknown = model["unk_token"]
    _check_unknown(unknown, vocabulary, byte_ids, list(tables.values()), by_letter if bytes_only else None)
    return BPE(
        alphabet=alphabet,
        inner_ids=tables["inner"],
        first_ids=tables["first"],
        last_ids=tables["last"],
        only_ids=tables["only"],
        whole=build_whole_words(_whole_words(model, suffix), by_letter),
        merges=build_pair_table(first, second, np.arange(len(made)), max(vocabulary.values()) + 1),
        merged_ids=made if len(made) else np.zeros(1, np.int32),
        in_order=_is_in_order(first, second, made),
        unknown_id=-1 if unknown is None or byte_ids is not None else vocabulary[unknown],
        fuses_unknown=model["fuse_unk"],
        byte_ids=byte_ids,
        longest=max(map(len, vocabulary)),
    )


def _merge_ids(merges: list, vocabulary: dict[str, int], skipped: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pairs = [pair.split(" ", 1) if isinstance(pair, str) else pair for pair in merges]
    first = np.array([vocabulary[a] for a, _ in pairs], np.int32)
    second = np.array([vocabulary[b] for _, b in pairs], np.int32)
    made = np.array([vocabulary[a + b.encode()[skipped:].decode()] for a, b in pairs], np.int32)
    return first, second, made


def _check_unknown(
    unknown: str | None,
    vocabulary: dict[str, int],
    byte_ids: np.ndarray | None,
    tables: list[np.ndarray],
    byte_codes: dict[str, int] | None,
) -> None:
    """Refuse a vocabulary that has nothing for some characters: the Rust tokenizer drops them, and shifts offsets."""
    if byte_ids is not None or unknown in vocabulary:
        return
    if byte_codes is not None:
        codes = [byte_codes.get(chr(point), 0) for point in byte_characters()]
        if all((table[codes] >= 0).all() for table in tables):
            return
    raise UnsupportedTokenizerError(
        f"The BPE vocabulary has no unknown token (`unk_token={unknown!r}`) and does not hold every character: the "
        "Rust tokenizer drops the others, which is not reproduced in the graph. Give the model an `unk_token`."
    )


def _is_in_order(first: np.ndarray, second: np.ndarray, made: np.ndarray) -> bool:
    """Tell whether every merge that needs a token has a higher rank than every merge that makes it."""
    if not len(made):
        return True
    made_last = np.full(max(first.max(), second.max(), made.max()) + 1, -1)
    np.maximum.at(made_last, made, np.arange(len(made)))
    ranks = np.arange(len(made))
    return bool((made_last[first] < ranks).all() and (made_last[second] < ranks).all())


def _whole_words(model: dict[str, Any], suffix: str) -> dict[str, int]:
    """Return the words that are one token, asked of the Rust model."""
    vocabulary = model["vocab"]
    merges = [tuple(pair.split(" ", 1) if isinstance(pair, str) else pair) for pair in model["merges"]]
    settings = {name: model[name] for name in ("continuing_subword_prefix", "end_of_word_suffix") if model[name]}
    rust = models.BPE(
        vocabulary,
        merges,
        cache_capacity=0,
        unk_token=model["unk_token"],
        fuse_unk=model["fuse_unk"],
        byte_fallback=model["byte_fallback"],
        ignore_merges=model.get("ignore_merges", False),
        **settings,
    )
    words = {}
    for word in dict.fromkeys(word for entry in vocabulary for word in (entry, entry.removesuffix(suffix))):
        if word and len(found := rust.tokenize(word)) == 1:
            words[word] = found[0].id
    return words
