"""The memory and time of training steps over a large vocabulary: logits all at once, and by pieces as `fit` does.

    python -m benchmarks.loss_memory [--rows 16] [--length 256] [--vocabulary 50257]

GPT-2 of 2 layers of 256 with random weights; each way in a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np


def measure(way: str, rows: int, length: int, vocabulary: int) -> None:
    """Print the peak of memory and the seconds of a step, the fastest of three."""
    import transformers

    from tfnlp._backend import keras, tf
    from tfnlp.checkpoints.heads import AutoHead
    from tfnlp.checkpoints.weights import variables_by_name
    from tfnlp.networks.families import decoder_network
    from tfnlp.training.losses import TokenCrossEntropy
    from tfnlp.training.vector_loss import VectorCrossEntropy

    config = transformers.GPT2Config(n_embd=256, n_layer=2, n_head=4, vocab_size=vocabulary)
    head = AutoHead("TFAutoModelForCausalLM").from_config(config)
    network = decoder_network(config, variables_by_name(head))
    assert network is not None
    by_pieces = VectorCrossEntropy(network.output)
    ids = tf.constant(np.random.default_rng(0).integers(0, vocabulary, (rows, length)), tf.int32)
    optimizer = keras.optimizers.Adam()

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = head(ids, output_hidden_states=True, training=True)
            loss = (
                by_pieces(ids, outputs.hidden_states[-1])
                if way == "pieces"
                else TokenCrossEntropy()(ids, outputs.logits)
            )
        optimizer.apply_gradients(
            zip(tape.gradient(loss, head.trainable_variables), head.trainable_variables, strict=True)
        )
        return loss

    optimizer.build(head.trainable_variables)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        step().numpy()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{way}: {peak:.1f} GiB, {min(seconds[1:]):.2f} s a step")


def main() -> None:
    """Read the arguments and measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=("whole", "pieces"))
    for name, default in (("rows", 16), ("length", 256), ("vocabulary", 50257)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.rows, options.length, options.vocabulary)
        return
    for way in ("whole", "pieces"):
        subprocess.run([sys.executable, "-m", "benchmarks.loss_memory", *sys.argv[1:], "--way", way], check=True)


if __name__ == "__main__":
    main()
