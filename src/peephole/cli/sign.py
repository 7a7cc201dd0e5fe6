"""The verbs of proof: keygen, sign, verify; who made a model file, and whether two of them decide alike."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peephole.base.errors import InputError, NotSigned
from peephole.base.extras import load as part
from peephole.cli.show import ProgressWatcher, console, print_error, print_json

if TYPE_CHECKING:
    from peephole.decide.verify import Verification

__all__ = ["keygen", "sign", "verify"]

PROBLEM = 3
SHOWN = 20


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


def verify(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    against: Annotated[
        list[Path] | None,
        typer.Argument(help="The folder of photos it was trained on; or another model file, and a folder of photos to compare both on."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="The public key that must have signed the file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Who signed a model file, and does it decide here as it did where it was made, or as another file does? Exit code 3 when not."""
    found: dict[str, Any] = {"model": str(model)}
    if key is None and not against:
        raise InputError(
            "there is nothing to verify against", "give --key door.pub, the folder it was trained on, or another model file and a folder of photos"
        )
    if key is not None:
        found["signature"] = _signed(model, key, json)
    compared = _compared(model, against) if against else None
    if compared is not None and not json:
        _told(compared)
    if json:
        print_json(found | ({"verification": compared} if compared is not None else {}))
    if not found.get("signature", {"signed": True})["signed"] or (compared is not None and not compared.same):
        raise typer.Exit(PROBLEM)


def _signed(model: Path, key: Path, quiet: bool) -> dict[str, Any]:
    """Say whether the key signed the model file."""
    signer, checked = part("base.signature:public_key")(key), part("base.modelfile:read")(model)
    try:
        part("base.signature:require_signed")(model.name, checked.data, part("base.signature:signature_of")(model), signer)
    except NotSigned as error:
        if not quiet:
            print_error(error)
        return {"signed": False, "key": signer.fingerprint, "why": error.what}
    if not quiet:
        console.print(f"{model} is signed by {signer.name} ({signer.fingerprint})", markup=False, soft_wrap=True)
    return {"signed": True, "key": signer.fingerprint}


def _compared(model: Path, against: list[Path]) -> "Verification":
    """Compare with another model file, or with what the file says of its known examples."""
    folders = [path for path in against if path.is_dir()]
    others = [path for path in against if not path.is_dir()]
    if len(folders) > 1 or len(others) > 1:
        raise InputError("give one other model file and one folder of photos at most", "peephole verify MODEL OTHER.onnx PHOTOS")
    predictor = part("decide.predictor:load")(model)
    other = part("decide.predictor:load")(others[0]) if others else None
    with ProgressWatcher() as watch:
        watch.stage(f"verifying {model.name}")
        if other is not None:
            answer: Verification = part("decide.verify:against_file")(predictor, other, folders[0] if folders else None, watch.progress)
            return answer
        card: Verification = part("decide.verify:against_card")(predictor, folders[0], watch.progress)
        return card


def _told(found: "Verification") -> None:
    for line in found.lines:
        console.print(line, markup=False, soft_wrap=True)
    for change in found.changed[:SHOWN]:
        console.print(f"  {change.photo}: {change.one}, now {change.other}", markup=False, soft_wrap=True)
    if len(found.changed) > SHOWN:
        console.print(f"  and {len(found.changed) - SHOWN} more", markup=False)
