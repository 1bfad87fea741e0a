"""Ask about a CSV table.

python examples/table_question_answering.py google/tapas-base-finetuned-wtq people.csv "How old is Ada?"
"""

import sys

import pandas

import tfnlp


def main(checkpoint: str, file: str, query: str) -> None:
    print(tfnlp.TableQuestionAnswerer.from_pretrained(checkpoint).predict((pandas.read_csv(file), query)))


if __name__ == "__main__":
    main(*sys.argv[1:])
