"""`peephole studio`: the page on which everything is seen and touched."""

from pathlib import Path
from typing import Annotated

import typer

from peephole.base.extras import load as part
from peephole.cli.show import console

__all__ = ["studio"]


def studio(
    folder: Annotated[Path, typer.Argument(help="The folder whose photos, model files and doors the page shows.")] = Path(),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the page is on this computer.")] = 8707,
    host: Annotated[str, typer.Option(help="Who may reach it: 127.0.0.1 is this computer alone; other addresses have no encryption.")] = "127.0.0.1",
    name: Annotated[list[str] | None, typer.Option(help="A name by which browsers call this computer; may be repeated.")] = None,
    unlock: Annotated[bool, typer.Option("--unlock", help="Forget the wrong codes that were given.")] = False,
) -> None:
    """Open the page: draw, see every layer, hold a convolution, train, watch a door. Nothing leaves this computer."""
    served = part("studio.app:Served")(host, port, tuple(name or ()))

    def tell(address: str) -> None:
        console.print(f"[bold]{address}[/]", soft_wrap=True)
        console.print("   open it in any browser; the code in it is for you alone. Ctrl-C ends it.")
        if not served.loopback:
            console.print("   [yellow]other computers can reach this page, and what they send is not encrypted[/]")

    part("studio.app:serve")(folder, served, unlock=unlock, told=tell)
