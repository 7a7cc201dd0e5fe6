"""Make the files of this folder again: small networks for pictures, exported by programs of others; needs what each of them names.

python make.py keras|torch|sklearn FOLDER; docs in README.md beside. The networks are not trained: their seeded weights are enough to compare numbers.
"""

import sys
from pathlib import Path

import numpy as np


def keras(folder: Path) -> None:
    """Keras 3 on TensorFlow, by tf2onnx: channels last, "same" padding, batch norm, a depthwise convolution, average pooling, softmax."""
    import keras as k
    import tf2onnx

    k.utils.set_random_seed(1)
    layers = k.layers
    image = k.Input((20, 24, 3), name="image")
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Activation("relu6")(x)
    x = layers.concatenate([layers.Conv2D(4, 1, activation="sigmoid")(x), layers.MaxPooling2D(3, 1, padding="same")(x)])
    x = layers.AveragePooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = k.Model(image, layers.Dense(5, activation="softmax")(x))
    norm = next(layer for layer in model.layers if "normalization" in layer.name)
    norm.set_weights([np.linspace(0.5, 1.5, 6), np.linspace(-1, 1, 6), np.linspace(0, 0.3, 6), np.linspace(0.5, 2, 6)])
    tf2onnx.convert.from_keras(model, opset=15, output_path=str(folder / "keras.onnx"))


def network():
    """Return a small residual network for 1 x 3 x 20 x 24 pictures, in PyTorch."""
    import torch
    from torch import nn

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.begin = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU())
            self.inner = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 2, 2, groups=4), nn.GELU(), nn.Conv2d(8, 8, 1))
            self.end = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.begin(x)
            return self.end(x + self.inner(x))

    torch.manual_seed(1)
    made = Residual()
    made.begin[1].running_mean += torch.linspace(-0.2, 0.2, 8)
    made.begin[1].running_var *= torch.linspace(0.5, 2, 8)
    return made.eval()


def torch(folder: Path) -> None:
    """PyTorch's newer exporter (torch.export, onnxscript)."""
    import torch as t

    with t.no_grad():
        t.onnx.export(network(), (t.zeros(1, 3, 20, 24),), folder / "torch.onnx", dynamo=True, external_data=False, input_names=["picture"])


def sklearn(folder: Path) -> None:
    """scikit-learn's multilayer perceptron on 8 x 8 pixels in a row, by skl2onnx; its labels are words."""
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier

    draw = np.random.default_rng(1)
    pixels = draw.random((60, 64)).astype(np.float32)
    names = np.array(["dark", "grey", "light"])[np.digitize(pixels.mean(axis=1), [0.49, 0.51])]
    model = MLPClassifier((10,), max_iter=40, random_state=1).fit(pixels, names)
    made = to_onnx(model, pixels[:1], options={"zipmap": False}, target_opset=15)
    (folder / "sklearn.onnx").write_bytes(made.SerializeToString())


if __name__ == "__main__":
    {"keras": keras, "torch": torch, "sklearn": sklearn}[sys.argv[1]](Path(sys.argv[2]))
