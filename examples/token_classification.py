"""Train a named entity recogniser on your file, ask it, and export it for TensorFlow Serving.

python examples/token_classification.py bert-base-cased train.conll dev.conll my-ner
"""

import sys

import tfnlp


def main(checkpoint: str, train: str, dev: str, output: str) -> None:
    ner = tfnlp.TokenClassifier.from_pretrained(checkpoint)
    ner.fit(train, validation_data=dev, epochs=3)
    print(ner.evaluate(dev))
    for entity in ner.predict("Ada Lovelace lived in London."):
        print(entity)
    ner.save(output)
    ner.export(f"{output}/serving/1")


if __name__ == "__main__":
    main(*sys.argv[1:])
