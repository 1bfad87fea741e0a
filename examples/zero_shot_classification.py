"""Classify texts by labels that nobody trained.

python examples/zero_shot_classification.py roberta-large-mnli "The cat sat on the mat." pets politics
"""

import sys

import tfnlp


def main(checkpoint: str, text: str, *labels: str) -> None:
    zero_shot = tfnlp.ZeroShotClassifier.from_pretrained(checkpoint)
    for label in zero_shot.predict(text, labels):
        print(f"{label.score:.3f} {label.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
