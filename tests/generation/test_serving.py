"""SavedModels that answer texts with texts, in a process that has TensorFlow alone."""

import json
import random
import subprocess
import sys

import pytest
import transformers

from tests.tiny import TEXTS, UNNAMED, build_task, build_tokenizer
from tfnlp import CausalLM, Seq2SeqLM
from tfnlp._backend import keras

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`TFSharedEmbeddings`", "ignore:The initializer"),
]
ASKER = """
import json, resource, sys
import tensorflow as tf

served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
texts, size = json.loads(sys.stdin.read()), int(sys.argv[2])
made, memory = [], []
for start in range(0, len(texts), size):
    answers = served(text=tf.constant(texts[start : start + size]))["generated_text"].numpy()
    made += [[text.decode() for text in several] for several in answers.tolist()]
    memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
assert not [name for name in sys.modules if name.split(".")[0] in ("tfnlp", "transformers", "tokenizers", "tf_keras")]
print(json.dumps({"made": made, "memory": memory}))
"""


def ask_in_a_fresh_process(directory, texts, size):
    done = subprocess.run(
        [sys.executable, "-c", ASKER, str(directory), str(size)],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def build_qwen3(directory):
    tokenizer = build_tokenizer("gpt2", directory)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, head_dim=8, max_position_embeddings=64, eos_token_id=2, initializer_range=0.3,
    )  # fmt: skip
    keras.utils.set_random_seed(1)
    return CausalLM.from_config(config, tokenizer)


QUICK = {"initializer_range": 0.3, "eos_token_id": 2, **UNNAMED}
TASKS = {
    "gpt2": lambda directory: build_task(CausalLM, "gpt2", directory, QUICK),
    "qwen3": build_qwen3,
    "roberta": lambda directory: build_task(CausalLM, "roberta", directory, {**QUICK, "is_decoder": True}),
    "xlnet": lambda directory: build_task(CausalLM, "xlnet", directory, QUICK),
    "t5": lambda directory: build_task(
        Seq2SeqLM, "t5", directory, {"pad_token_id": 133, "eos_token_id": 2}, max_length=62
    ),
    "bart": lambda directory: build_task(Seq2SeqLM, "bart", directory, {"init_std": 0.3}, max_length=60),
}
GREEDY = {"max_new_tokens": 5}
OPTIONS = [
    GREEDY,
    {**GREEDY, "num_beams": 3, "num_return_sequences": 2},
    {**GREEDY, "do_sample": True, "num_return_sequences": 2, "seed": 5},
]


@pytest.mark.parametrize("name", TASKS)
def test_texts_are_served_as_they_are_predicted(name, tmp_path):
    task = TASKS[name](tmp_path)
    for i, options in enumerate(OPTIONS):
        task.configure_generation(**{"num_beams": 1, "num_return_sequences": 1, "do_sample": False, **options})
        task.export(tmp_path / f"served-{i}", samples=TEXTS)
        served = ask_in_a_fresh_process(tmp_path / f"served-{i}", TEXTS, len(TEXTS))["made"]
        made = task.predict(TEXTS)
        expected = [
            [one.text for one in several] if "num_return_sequences" in options else [several.text] for several in made
        ]
        assert served == expected


def test_random_texts_crash_nothing_and_memory_stays_flat(tmp_path):
    task = TASKS["gpt2"](tmp_path)
    task.configure_generation(max_new_tokens=4)
    task.export(tmp_path / "served")
    draw = random.Random(0)
    alphabet = [*"abcXYZ 019.,!?\n\t'", "é", "ß", "我", "\u0301", "👩", "\u200d", "\x00", "İ", "ﬁ", "<s>", "</s>"]
    texts = ["".join(draw.choices(alphabet, k=draw.randint(1, 12))) for _ in range(10_000)]
    found = ask_in_a_fresh_process(tmp_path / "served", texts, 100)
    assert len(found["made"]) == 10_000
    some = [i for i in range(0, 10_000, 50) if texts[i].strip()]
    assert [found["made"][i][0] for i in some] == [one.text for one in task.predict([texts[i] for i in some])]
    grown = found["memory"][-1] - found["memory"][len(found["memory"]) // 5]
    print(f"memory grew by {grown / 1024:.1f} MiB from request 20 to request 100")
    assert grown < 30 * 1024
