"""Train an encoder on pairs of texts with scores, compare texts, and export for TensorFlow Serving.

python examples/text_encoding.py sentence-transformers/all-MiniLM-L6-v2 train.csv dev.csv my-encoder
"""

import sys

import tfnlp


def main(checkpoint: str, train: str, dev: str, output: str) -> None:
    encoder = tfnlp.TextEncoder.from_pretrained(checkpoint)
    print(encoder.evaluate(dev))
    encoder.fit(train, validation_data=dev, epochs=1)
    print(encoder.similarity(["A cat sat."], ["A kitten was sitting.", "Taxes rise."]))
    encoder.save(output)
    encoder.export(f"{output}/serving/1")


if __name__ == "__main__":
    main(*sys.argv[1:])
