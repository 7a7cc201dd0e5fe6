"""A model file needs no Peephole: this gives the same label, or the same stranger, as `peephole predict MODEL PHOTO`.

Usage: python plain_onnxruntime.py door.onnx photo.jpg     (for a model that judges the whole photo, as most do)
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1])
card = json.loads(session.get_modelmeta().custom_metadata_map["peephole.card"])
shape, mode, unknown = card["input"]["shape"][1:], {"rgb": "RGB", "grey": "L"}[card["input"]["colour"]], card["unknown"]
photo = ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGBA")
photo = Image.alpha_composite(Image.new("RGBA", photo.size, card["input"]["alpha"]), photo).convert("RGB").convert(mode)
pixels = np.asarray(ImageOps.fit(photo, (shape[1], shape[0]), Image.Resampling.BILINEAR)).reshape(1, *shape)
(logits,), (familiarity,) = session.run(["logits", "familiarity"], {"image": pixels})
best = logits.argmax()
lead = familiarity[best] - np.delete(familiarity, best).max()
print(card["labels"][best] if familiarity[best] >= unknown["threshold"] and lead >= unknown["margin"] else "stranger")
