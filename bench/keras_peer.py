"""The lab-11 network in Keras on TensorFlow; runs in bench/.peers, knows nothing of peephole, and is asked over stdin.

Each line on stdin is a precision, `float32` or `mixed_bfloat16`; the answer is a line with the images per second of one `model.fit`
over the images of the .npz file given as the argument (images uint8 (N, 28, 28), labels (N,)). Both models are built, compiled and
warmed up before the first question. Written as keras.io's own MNIST example is: a float array in memory, Adam, no augmentation.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # read when TensorFlow is imported

import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH, THREADS = 128, 2


def lab_11(precision: str) -> keras.Model:
    """Build and compile the network; Keras decides itself whether to compile it with XLA (jit_compile="auto")."""
    keras.mixed_precision.set_global_policy(precision)
    steps = [keras.Input((28, 28, 1))]
    for filters in (32, 64, 128):
        steps += [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2, padding="same")]
    steps += [layers.Flatten(), layers.Dense(625, activation="relu"), layers.Dropout(0.3), layers.Dense(10, dtype="float32")]
    model = keras.Sequential(steps)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def main() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    with np.load(sys.argv[1]) as given:
        images, labels = given["images"][..., None].astype("float32") / 255, given["labels"]
    models = {precision: lab_11(precision) for precision in ("float32", "mixed_bfloat16")}
    for model in models.values():
        model.fit(images[: 10 * BATCH], labels[: 10 * BATCH], batch_size=BATCH, verbose=0)
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}", flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        models[line.strip()].fit(images, labels, batch_size=BATCH, verbose=0)
        print(len(images) / (time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    main()
