"""Other spellings of tags than `B-PER`, `I-PER`, `O`: recognised from all labels of a data set, and rewritten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tfnlp.errors import LabelError
from tfnlp.labels import OUTSIDE, are_tags

_OUTSIDE = ("O", "o", "0", "-", "_")
_PREFIXES = "BIOESLUM"
_BARE = frozenset("BIESLUM")
_UNNAMED = "ENTITY"  # the type of entities that data does not name
_BEFORE = re.compile(rf"([{_PREFIXES}{_PREFIXES.lower()}])[-_/|:](.+)")
_AFTER = re.compile(rf"(.+)[-_/|:]([{_PREFIXES}{_PREFIXES.lower()}])")


def tag_spelling(names: Iterable[str]) -> Mapping[str, str] | None:
    """Tell how the tags of a data set are spelt.

    Args:
        names: all its labels.

    Returns:
        For each label, the tag that it stands for; types alone (`PER`) stand for `I-PER`. None: the labels are tags as
        they are, or no tags at all.

    Raises:
        LabelError: if some are tags and some are not, or they can be read in two ways.

    >>> tag_spelling({"B_PER", "I_PER", "o"})
    {'B_PER': 'B-PER', 'I_PER': 'I-PER', 'o': 'O'}
    >>> tag_spelling({"PER", "LOC", "O"})
    {'LOC': 'I-LOC', 'O': 'O', 'PER': 'I-PER'}
    >>> tag_spelling({"NOUN", "VERB"})
    """
    labels = sorted(set(names))
    if are_tags(labels):
        return None
    outside = [name for name in labels if name in _OUTSIDE]
    inside = [name for name in labels if name not in _OUTSIDE]
    if not outside or not inside:
        return None  # labels of words: parts of speech, for example
    if set(map(str.upper, inside)) <= _BARE:
        tags = {name: f"{name.upper()}-{_UNNAMED}" for name in inside}
    else:
        tags = _spelt(inside)
        are_types = all(tag == f"I-{name}" for name, tag in tags.items())
        if are_types and not set(outside) <= {"O", "o"}:
            return None  # a dash or a 0 may be a label of words as well
    return {name: tags.get(name, OUTSIDE) for name in labels}


def _spelt(names: list[str]) -> dict[str, str]:
    before = {name: f"{m[1].upper()}-{m[2]}" for name in names if (m := _BEFORE.fullmatch(name))}
    after = {name: f"{m[2].upper()}-{m[1]}" for name in names if (m := _AFTER.fullmatch(name))}
    complete = [tags for tags in (before, after) if len(tags) == len(names)]
    if len(complete) == 2 and before != after:
        raise LabelError(
            f"the labels {names[:6]} can be read in two ways, as {sorted(before.values())[:3]} and as "
            f"{sorted(after.values())[:3]}. Write them as 'B-PER', 'I-PER', 'O'."
        )
    if complete:
        return complete[0]
    mixed = before or after
    if mixed:
        others = [name for name in names if name not in mixed]
        raise LabelError(
            f"some labels are tags of entities ({sorted(mixed)[:6]}) and some are not ({others[:6]}). Correct "
            "the file, or write all of them as 'B-PER', 'I-PER', 'O'."
        )
    return {name: f"I-{name}" for name in names}
