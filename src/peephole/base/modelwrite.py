"""Writing a model file: the card into the graph's metadata, and a seal; checked before and after it reaches the disk.

Apart from `modelfile` because importing `onnx` costs 12 MB and 0.1 s, which a gateway that only reads need not pay.
"""

from pathlib import Path

import onnx

from peephole.base.card import Card
from peephole.base.errors import ModelFileError, OutputError
from peephole.base.files import write_atomic
from peephole.base.modelfile import CARD_KEY, ModelFile, read, read_bytes
from peephole.base.seal import SEAL_KEY, SEALED, seal

__all__ = ["write"]


def write(path: Path | str, graph: onnx.ModelProto, card: Card) -> ModelFile:
    """Write `graph` with its `card` to `path`, whole or not at all, and return what reading it back gives.

    The graph is not changed. Raises ModelFileError, with nothing written, when the result could not be read;
    OutputError when it cannot be written.
    """
    path = Path(path)
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key not in (CARD_KEY, SEAL_KEY)]
    del model.metadata_props[:]
    model.model_version = SEALED
    for key, value in [*kept, (CARD_KEY, card.model_dump_json())]:
        model.metadata_props.add(key=key, value=value)
    try:
        data = seal(model.SerializeToString(deterministic=True))
    except ValueError as error:  # protobuf's own limit of 2 GB
        raise ModelFileError(f"{path.name} is too big for one file", "train a smaller network, or on smaller pictures") from error
    read_bytes(data, path.name)
    write_atomic(path, data)
    back = read(path)
    if back.data != data:
        raise OutputError(f"{path} did not keep what was written to it", "check the disk and write it again")
    return back
