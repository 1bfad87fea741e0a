"""Train a classifier of texts on your file, ask it, and export it for TensorFlow Serving.

python examples/text_classification.py bert-base-cased train.csv dev.csv my-classifier
"""

import sys

import tfnlp


def main(checkpoint: str, train: str, dev: str, output: str) -> None:
    classifier = tfnlp.SequenceClassifier.from_pretrained(checkpoint)
    classifier.fit(train, validation_data=dev, epochs=3)
    report = classifier.evaluate(dev)
    print(report)
    print(report.confusion)
    for label in classifier.predict("A film to see again and again.", top_k=2):
        print(label)
    classifier.save(output)
    classifier.export(f"{output}/serving/1")


if __name__ == "__main__":
    main(*sys.argv[1:])
