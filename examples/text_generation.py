"""Train a language model of one's own from nothing, on a file of texts, and let it go on from a prompt.

python examples/text_generation.py TEXTS.txt
"""

import sys

from tokenizers.implementations import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2TokenizerFast

import tfnlp

texts = tfnlp.read_texts(sys.argv[1])
rust = ByteLevelBPETokenizer()
rust.train_from_iterator((record["text"] for record in texts), vocab_size=4000, special_tokens=["<|endoftext|>"])
tokenizer = GPT2TokenizerFast(tokenizer_object=rust)
config = GPT2Config(vocab_size=len(tokenizer), n_embd=128, n_layer=4, n_head=4, n_positions=256)
lm = tfnlp.CausalLM.from_config(config, tokenizer, max_length=128)
lm.fit(texts, epochs=3, learning_rate=1e-3, batch_size=16)
for piece in lm.stream("I", max_new_tokens=60, do_sample=True, temperature=0.8, seed=1):
    print(piece, end="", flush=True)
print()
