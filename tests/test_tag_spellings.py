import pytest

from tfnlp.errors import LabelError
from tfnlp.tag_spellings import tag_spelling


@pytest.mark.parametrize(
    ("names", "tags"),
    [
        ("B_PER I_PER O", "B-PER I-PER O"),
        ("B/PER I/PER O", "B-PER I-PER O"),
        ("PER-B PER-I LOC-B O", "B-PER I-PER B-LOC O"),
        ("B I O", "B-ENTITY I-ENTITY O"),
        ("b i o", "B-ENTITY I-ENTITY O"),
        ("B-PER I-PER 0", "B-PER I-PER O"),
        ("B-PER I-PER -", "B-PER I-PER O"),
        ("B-PER I-PER o", "B-PER I-PER O"),
        ("B-PER O 0 o", "B-PER O O O"),
        ("b-per i-per o", "B-per I-per O"),
        ("PER LOC O", "I-PER I-LOC O"),
        ("S_PER E_PER O", "S-PER E-PER O"),
    ],
)
def test_other_spellings(names, tags):
    assert tag_spelling(names.split()) == dict(zip(names.split(), tags.split(), strict=True))


@pytest.mark.parametrize("names", ["B-PER I-PER O", "NOUN VERB", "NOUN - _", "IsNext NotNext", "O", "B-PER"])
def test_what_stays(names):
    assert tag_spelling(names.split()) is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            "B-PER I-PER O LOC",
            r"some labels are tags of entities \(\['B-PER', 'I-PER'\]\) and some are not \(\['LOC'\]\)",
        ),
        ("B_I I_B O", r"can be read in two ways"),
    ],
)
def test_what_is_refused(names, message):
    with pytest.raises(LabelError, match=message):
        tag_spelling(names.split())
