"""Train further on your texts, fill a mask, and export for TensorFlow Serving.

python examples/masked_lm.py bert-base-cased corpus.txt held-out.txt my-lm
"""

import sys

import tfnlp


def main(checkpoint: str, train: str, dev: str, output: str) -> None:
    lm = tfnlp.MaskedLM.from_pretrained(checkpoint, whole_words=True)
    lm.fit(train, validation_data=dev, epochs=3)
    print(lm.evaluate(dev))
    for fill in lm.predict(f"Ada Lovelace lived in {lm.tokenizer.hf.mask_token}."):
        print(fill)
    lm.save(output)
    lm.export(f"{output}/serving/1")


if __name__ == "__main__":
    main(*sys.argv[1:])
