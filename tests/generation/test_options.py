import logging

import pytest

from tfnlp.errors import ArgumentError
from tfnlp.generation.options import GenerationOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beam": 3}, r"^`num_beam` is no option of generation\. Did you mean 'num_beams'\?$"),
        (
            {"max_new_tokens": 5, "max_length": 9},
            r"^`max_new_tokens=5` and `max_length=9` contradict each other: pass one of them\.$",
        ),
        ({"max_new_tokens": 0}, r"^`max_new_tokens` must be in \[1, 2147483647\]; it is 0\.$"),
        ({"min_new_tokens": 6, "max_new_tokens": 5}, r"^`min_new_tokens=6` is more than `max_new_tokens=5`\.$"),
        ({"min_length": 6, "max_length": 5}, r"^`min_length=6` is more than `max_length=5`\.$"),
        (
            {"do_sample": True, "temperature": 0},
            r"^`temperature` must be greater than 0; it is 0\. For the likeliest tokens, pass `do_sample=False`\.$",
        ),
        ({"top_p": 1.5}, r"^`top_p` must be in \(0, 1\]; it is 1\.5\.$"),
        ({"min_p": -1}, r"^`min_p` must be in \[0, 1\]; it is -1\.$"),
        ({"repetition_penalty": 0}, r"^`repetition_penalty` must be greater than 0; it is 0\.$"),
        ({"early_stopping": "soon"}, r"^`early_stopping` must be True, False or 'never'; it is 'soon'\.$"),
        (
            {"num_return_sequences": 3, "num_beams": 2},
            r"^`num_return_sequences=3` is more than `num_beams=2`: pass as many beams, or sample with `do_sample=True`",
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ArgumentError, match=message):
        GenerationOptions().changed(options)


def test_options_of_a_file_and_of_a_call():
    config = {
        "eos_token_id": 3,
        "max_length": 20,
        "bad_words_ids": [[1, 2]],
        "transformers_version": "4",
        "top_k": None,
    }
    options = GenerationOptions.from_config(config)
    assert options == GenerationOptions(eos_token_id=(3,), max_length=20, top_k=0, bad_words_ids=((1, 2),))
    assert options.changed({"max_new_tokens": 5}).max_length is None
    assert options.changed({"stop_strings": "."}).stop_strings == (".",)
    assert repr(options) == "GenerationOptions(max_length=20, top_k=0, bad_words_ids=((1, 2),), eos_token_id=(3,))"
    assert GenerationOptions.from_config(options.to_config({})) == options
    assert options.changed({"seed": 3, "compile": True}).to_config({"a": 1}) == {"a": 1, **options.to_config({})}


def test_what_is_not_done_is_logged(caplog):
    with caplog.at_level(logging.WARNING, "tfnlp"):
        GenerationOptions.from_config({"num_beam_groups": 4, "guidance_scale": 1})
    assert caplog.messages == ["generation_config.json asks for num_beam_groups, which tfnlp does not do"]
