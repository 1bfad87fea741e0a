"""Train on your questions, ask, and export for TensorFlow Serving.

python examples/question_answering.py bert-base-cased train-v2.0.json dev-v2.0.json my-answerer
"""

import sys

import tfnlp


def main(checkpoint: str, train: str, dev: str, output: str) -> None:
    answerer = tfnlp.QuestionAnswerer.from_pretrained(checkpoint)
    answerer.fit(train, validation_data=dev, epochs=2)
    print(answerer.evaluate(dev))
    question = {"question": "Where did Ada live?", "context": "Ada Lovelace lived in London, and died there in 1852."}
    for answer in answerer.predict(question, top_k=3):
        print(answer)
    answerer.save(output)
    answerer.export(f"{output}/serving/1")


if __name__ == "__main__":
    main(*sys.argv[1:])
