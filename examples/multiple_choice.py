"""Train on your prompts and choices, ask, and export for TensorFlow Serving.

python examples/multiple_choice.py bert-base-cased train_rand_split.jsonl dev_rand_split.jsonl my-chooser
"""

import sys

import tfnlp


def main(checkpoint: str, train: str, dev: str, output: str) -> None:
    chooser = tfnlp.MultipleChoice.from_pretrained(checkpoint)
    chooser.fit(train, validation_data=dev, epochs=3)
    print(chooser.evaluate(dev))
    question = {"prompt": "Where does one keep milk?", "choices": ["in a shoe", "in a fridge", "on the roof"]}
    for choice in chooser.predict(question, top_k=3):
        print(choice)
    chooser.save(output)
    chooser.export(f"{output}/serving/1")


if __name__ == "__main__":
    main(*sys.argv[1:])
