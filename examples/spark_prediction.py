"""Find the entities of a text file with a SavedModel on Spark. Workers need TensorFlow, pandas and PySpark, not tfnlp.

spark-submit examples/spark_prediction.py my-ner/serving/1 texts.txt answers.parquet
"""

import sys
from collections.abc import Iterator

import pandas as pd
from pyspark.sql import SparkSession

SCHEMA = (
    "text string, entity_label array<string>, entity_text array<string>, entity_start array<int>, "
    "entity_end array<int>, entity_score array<float>"
)


def main(model: str, texts: str, output: str) -> None:
    def answer(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import tensorflow as tf  # in a worker, once a partition

        loaded = tf.saved_model.load(model)
        serve = loaded.signatures["serving_default"]
        for batch in batches:
            found = {name: value.numpy() for name, value in serve(text=tf.constant(batch["text"].tolist())).items()}
            counts = found.pop("num_entities")
            columns = {"text": batch["text"]}
            for name, values in found.items():
                rows = [row[:count].tolist() for row, count in zip(values, counts, strict=True)]
                columns[name] = [[v.decode() if isinstance(v, bytes) else v for v in row] for row in rows]
            yield pd.DataFrame(columns)

    spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 256).getOrCreate()
    lines = spark.read.text(texts).withColumnRenamed("value", "text")
    lines.mapInPandas(answer, SCHEMA).write.mode("overwrite").parquet(output)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
