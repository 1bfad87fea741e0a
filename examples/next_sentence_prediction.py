"""Ask whether a text follows another.

python examples/next_sentence_prediction.py bert-base-cased "Ada opened the door." "Behind it stood a cat."
"""

import sys

import tfnlp


def main(checkpoint: str, first: str, second: str) -> None:
    print(tfnlp.NextSentencePrediction.from_pretrained(checkpoint).predict((first, second)))


if __name__ == "__main__":
    main(*sys.argv[1:])
