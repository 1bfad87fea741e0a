import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp.errors import ArgumentError, LabelError
from tfnlp.labels import LabelMap, Span, spans_to_tags, tags_to_spans, tags_to_spans_strictly, to_iob2

SCHEMES = ["IOB1", "IOB2", "BIOES", "BMES"]


@st.composite
def spans_of_words(draw):
    """Entities that don't overlap, and a number of words that holds them."""
    position, spans = 0, []
    for _ in range(draw(st.integers(0, 5))):
        start = position + draw(st.integers(0, 2))
        position = start + draw(st.integers(1, 4))
        spans.append(Span(draw(st.sampled_from(["PER", "LOC", "a-b"])), start, position))
    return spans, position + draw(st.integers(0, 2))


@given(spans_of_words(), st.sampled_from(SCHEMES))
def test_spans_to_tags_and_back(case, scheme):
    spans, length = case
    assert tags_to_spans(spans_to_tags(spans, length, scheme)) == spans


@given(spans_of_words(), st.sampled_from(["IOB2", "BIOES"]))
def test_well_formed_tags_read_alike_in_both_modes(case, scheme):
    spans, length = case
    tags = spans_to_tags(spans, length, scheme)
    assert tags_to_spans_strictly(tags) == spans


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y", "E-X", "S-Y"]), max_size=12))
def test_lenient_reading_equals_seqeval(tags):
    from seqeval.metrics.sequence_labeling import get_entities

    ours = [(span.label, span.start, span.end - 1) for span in tags_to_spans(tags)]
    assert ours == [tuple(found) for found in get_entities(tags)]


@pytest.mark.parametrize("scheme", ["IOB2", "IOBES"])
@given(st.data())
def test_strict_reading_equals_seqeval(scheme, data):
    import seqeval.scheme

    prefixes = "BI" if scheme == "IOB2" else "BIES"
    tags = data.draw(st.lists(st.sampled_from(["O", *(f"{p}-{t}" for p in prefixes for t in "XY")]), max_size=12))
    if scheme == "IOBES" and not any(tag[0] in "ES" for tag in tags):
        tags.append("S-X")  # else nothing tells BIOES from IOB2
    theirs = seqeval.scheme.Tokens(tags, getattr(seqeval.scheme, scheme)).entities
    ours = [(span.label, span.start, span.end) for span in tags_to_spans_strictly(tags)]
    assert ours == [(entity.tag, entity.start, entity.end) for entity in theirs]


def test_overlapping_or_outlying_spans_have_no_tags():
    with pytest.raises(ArgumentError, match=r"overlap; a word carries one tag\.$"):
        spans_to_tags([Span("A", 0, 2), Span("B", 1, 3)], 3)
    with pytest.raises(ArgumentError, match=r"does not lie within the 3 words\.$"):
        spans_to_tags([Span("A", 2, 4)], 3)
    with pytest.raises(
        ArgumentError, match=r"^unknown tag scheme 'IOB3'; the schemes are IOB1, IOB2, BIOES and BMES\.$"
    ):
        spans_to_tags([Span("A", 0, 1)], 3, "IOB3")


def test_iob1_needs_b_only_between_neighbours():
    assert spans_to_tags([Span("A", 0, 1), Span("A", 1, 2), Span("B", 2, 3)], 3, "IOB1") == ["I-A", "B-A", "I-B"]
    assert to_iob2(["I-A", "B-A", "I-B"]) == ["B-A", "B-A", "B-B"]
    assert to_iob2(["U-A", "B-B", "L-B"]) == ["B-A", "B-B", "I-B"]


def test_label_map():
    labels = LabelMap.from_tags(["I-PER", "O", "B-LOC", "B-PER", "O"])
    assert labels.names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert labels.are_tags
    assert not LabelMap(("NOUN", "VERB")).are_tags
    assert LabelMap(("LABEL_0", "LABEL_1")).are_placeholders
    with pytest.raises(LabelError) as caught:
        labels.id_of("B-PRE")
    assert str(caught.value) == (
        "unknown label 'B-PRE'. Did you mean 'B-PER'? The model's labels are ['O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER']."
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "A model needs at least one label; `labels` is empty."),
        (("O", "O"), "Each label must be given once; `labels` repeats ['O']."),
    ],
)
def test_label_map_refuses(names, message):
    with pytest.raises(LabelError) as caught:
        LabelMap(names)
    assert str(caught.value) == message
