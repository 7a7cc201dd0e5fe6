"""The verbs of proof: keygen, sign, verify; who made a model file, and whether two of them decide alike."""

from pathlib import Path
from typing import Annotated

import typer

from peephole.base.extras import load as part
from peephole.cli.show import console, print_json

__all__ = ["keygen", "sign"]

PROBLEM = 3


def keygen(
    output: Annotated[Path, typer.Option("-o", "--output", help="The private key; the public one stands beside it and ends in .pub.")] = Path(
        "door.key"
    ),
) -> None:
    """Make a pair of keys: sign with the private one here, give the public one to the gate. Nothing is ever written over."""
    private, public = part("base.signature:keygen")(output)
    signer = part("base.signature:public_key")(public)
    console.print(f"{private} signs, and stays here: only you may read it", markup=False, soft_wrap=True)
    console.print(f"{public} ({signer.fingerprint}) goes to the gate: [models] key in DOOR.toml", markup=False, soft_wrap=True)


def sign(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    key: Annotated[Path, typer.Option("--key", help="The private key.")] = Path("door.key"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Sign a model file, threshold and labels included; the signature stands beside it and ends in .onnx.sig."""
    path = part("base.signature:sign")(model, key)
    if json:
        print_json({"model": str(model), "signature": str(path)})
        return
    console.print(f"{path} signs {model}; copy both to the gate", markup=False, soft_wrap=True)
