"""Grapheme clusters against the Rust normalizer: strings of the characters that the rules of Annex 29 tell apart."""

import random

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph.characters import Added, Characters
from tfnlp.tokenization.graph.compiler import to_tensors
from tfnlp.tokenization.graph.normalizers import clusters
from tfnlp.tokenization.graph.normalizers.charsmap import character_map_fields
from tfnlp.tokenization.graph.ragged import changes, row_index
from tfnlp.tokenization.graph.tables import build_character_table

# Hangul letters and syllables, emoji, joiners and selectors, marks, consonants with their viramas, a prepended mark,
# flags, line ends.
LETTERS = [
    *"\u1100\u1161\u11a8가각\ud7b0\ua960\ud7cb©™ℹ👩\u200d\ufe0f\U0001f3fd\u0301\u0300\u0903\u200c\u0e33",
    *"\u0915\u094d\u0924\u093c\u0995\u09cd\u0d15\u0d4d\u0b95\u0bcd\u0600a\r\nあ🇨🇭",
]


def test_every_rule_in_random_strings():
    every_character = {chr(i): "X" for i in range(1, 0x10000) if i != ord("\n") and not 0xD800 <= i < 0xE000}
    joins = build_character_table(clusters._probe_joins())
    graph = to_tensors(clusters.ClusterMap(**character_map_fields(every_character), joins=joins))
    rust = clusters._map_of(bytes(byte for byte in range(1, 0xF0) if byte != ord("\n")))
    source = random.Random(0)
    texts = ["".join(source.choices(LETTERS, k=source.randint(1, 9))) for _ in range(20_000)]
    decoded = tf.strings.unicode_decode(texts, "UTF-8")
    splits = tf.cast(decoded.row_splits, tf.int32)
    text, none = row_index(splits[1:] - splits[:-1]), tf.zeros([0], tf.int32)
    given = Characters(decoded.values, tf.range(tf.size(text)), text, changes(text), Added(none, none))
    found = graph(given)
    lengths = np.bincount(tf.gather(text, found.source).numpy(), minlength=len(texts))
    letters = "".join(map(chr, found.points.numpy()))
    pieces = [letters[end - length : end] for end, length in zip(np.cumsum(lengths), lengths, strict=True)]
    assert pieces == [rust.normalize_str(text) for text in texts]
