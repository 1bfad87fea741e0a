"""Find the entities of a text file with a SavedModel on Apache Beam. Workers need TensorFlow and Beam, and not tfnlp.

python examples/beam_prediction.py my-ner/serving/1 texts.txt answers --runner=DirectRunner
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions


class EntityHandler(ModelHandler[str, dict, Any]):
    """Asks the SavedModel in `directory`. Beam's own handler loads Keras models; this is a SavedModel of functions."""

    def __init__(self, directory: str, **batching: int) -> None:
        super().__init__(**batching)
        self._directory = directory

    def load_model(self) -> Any:
        import tensorflow as tf

        return tf.saved_model.load(self._directory)

    def run_inference(self, batch: Sequence[str], model: Any, inference_args: Any = None) -> Iterable[dict]:
        import tensorflow as tf

        answers = model.signatures["serving_default"](text=tf.constant(list(batch)))
        found = {name: value.numpy() for name, value in answers.items()}
        counts = found.pop("num_entities")
        for i, (text, count) in enumerate(zip(batch, counts, strict=True)):
            values = {name: value[i, :count].tolist() for name, value in found.items()}
            yield {
                "text": text,
                **{name: [v.decode() if isinstance(v, bytes) else v for v in own] for name, own in values.items()},
            }


def main(model: str, texts: str, output: str, *options: str) -> None:
    with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
        (
            pipeline
            | beam.io.ReadFromText(texts)
            | RunInference(EntityHandler(model, min_batch_size=64, max_batch_size=256))
            | beam.Map(lambda answer: json.dumps(answer, ensure_ascii=False))
            | beam.io.WriteToText(output, ".jsonl")
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
