"""peephole lab: convolution in one's hands; each verb is one short function, what it prints is in labshow."""

from pathlib import Path
from typing import Annotated

import typer

from peephole.base.errors import InputError
from peephole.base.extras import load as part
from peephole.cli.labshow import show_ball, show_echo, show_kernel
from peephole.cli.labxo import x_or_o
from peephole.cli.show import console, print_json

__all__ = ["lab_app"]

lab_app = typer.Typer(no_args_is_help=True, help="Convolution in one's hands: a ball dropped twice, an echo, an image kernel, X or O.")

PLACES = "die, die:20, 1/2,1/3,1/6 (at 0, 1, 2), -1:1/4,0:1/2,3:1/4 (place:chance)"
DENSITIES = "uniform:0,1, normal:0,1, exponential:1 or triangle:0,1,2"
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

lab_app.command("x-or-o")(x_or_o)


@lab_app.command()
def ball(
    first: Annotated[str, typer.Option(help=f"Where the first drop may land: {PLACES}; or a density: {DENSITIES}.")] = "die",
    second: Annotated[str, typer.Option(help="Where the second may land, counted from the first; the same forms.")] = "die",
    at: Annotated[str | None, typer.Option(help="The place to split into all its ways; without it the likeliest.")] = None,
    normalise: Annotated[bool, typer.Option("--normalise", help="Divide chances by their sum, where that is not 1.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A figure to write: NAME.svg.")] = None,
    language: Annotated[str, typer.Option(help="The figure's words: en or ko.")] = "en",
    json: AsJson = False,
) -> None:
    """Drop a ball twice: every place, all ways to get there, and the way back. Exact fractions; densities with a bound on the error."""
    if output is not None:
        part("lab.ballfigure:require_svg")(output, language)
    if part("lab.density:is_density")(first) or part("lab.density:is_density")(second):
        found = part("lab.density:drop")(*map(part("lab.density:read_density"), (first, second)))
        one = found.at(at)
    else:
        read = part("lab.ball:read_chances")
        found = part("lab.ball:drop")(read(first, normalise=normalise), read(second, normalise=normalise))
        one = found.at(at) if at is not None else found.likeliest
    if output is not None:
        part("lab.ballfigure:write")(found, one, output, language)
    print_json({"drop": found, "at": one}) if json else show_ball(found, one, console)
    if output is not None and not json:
        console.print(f"look at it: {output}", markup=False, soft_wrap=True)


def _tap(text: str) -> tuple[float, float]:
    delay, _, gain = text.partition(":")
    try:
        return float(delay), float(gain)
    except ValueError:
        raise InputError(f"'{text}' is no tap", "write DELAY:GAIN, as in --tap 0.3:0.5") from None


@lab_app.command()
def echo(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A sound file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The sound file to write; its ending names its kind.")],
    delay: Annotated[float, typer.Option(help="Seconds until the echo.")] = 0.3,
    decay: Annotated[float, typer.Option(help="How loud the echo is: 0.5 is half as loud, and each further one half of that.")] = 0.5,
    repeats: Annotated[int, typer.Option(help="How often it is heard.")] = 1,
    tap: Annotated[list[str] | None, typer.Option(help="An echo of its own, DELAY:GAIN; may be repeated, instead of --delay and --decay.")] = None,
    room: Annotated[Path | None, typer.Option(help="A room: a sound file of its impulse response (a clap in it), instead of echoes.")] = None,
    dry: Annotated[float | None, typer.Option(help="How loud the sound itself is: 1, and 0 with a room, which holds it already.")] = None,
    wet: Annotated[float, typer.Option(help="How loud all echoes are.")] = 1.0,
    tail: Annotated[bool, typer.Option("--tail/--no-tail", help="Keep what still rings after the end.")] = True,
    normalise: Annotated[bool, typer.Option("--normalise", help="Scale it so that its loudest sample just fits.")] = False,
    json: AsJson = False,
) -> None:
    """Give a sound an echo: convolve it with a few spikes, or with a room. Files of any length pass through in blocks."""
    taps = [part("lab.echo:Tap")(*_tap(text)) for text in tap or ()]
    if not taps and room is None:
        taps = part("lab.echo:repeated")(delay, decay, repeats)
    options = part("lab.echo:Options")(tuple(taps), room, dry, wet, tail, normalise)
    found = part("lab.echo:echo")(source, target, options)
    print_json(found) if json else show_echo(found, options, target, console)


def _pixel(text: str) -> tuple[int, int]:
    row, _, column = text.partition(",")
    if not (row.strip().isdecimal() and column.strip().isdecimal() and len(text) < 20):
        raise InputError(f"'{text[:40]}' is no output pixel", "write ROW,COLUMN: --at 10,20")
    return int(row), int(column)


@lab_app.command()
def kernel(
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture to write: NAME.png.")] = Path("kernel.png"),
    name: Annotated[str, typer.Option("--kernel", help="identity, box, gaussian, sharpen, sobel-x, sobel-y, laplace, emboss or edge.")] = "sobel-x",
    matrix: Annotated[str | None, typer.Option(help="A kernel of your own: rows parted by ';', numbers by ','.")] = None,
    patch: Annotated[str | None, typer.Option(help="A part of the photo as the kernel: LEFT,TOP,WIDTH,HEIGHT.")] = None,
    match: Annotated[bool, typer.Option("--match", help="With --patch: how well it fits everywhere, -1..1.")] = False,
    size: Annotated[int, typer.Option(help="The side of a box or a gaussian, in pixels.")] = 3,
    sigma: Annotated[float | None, typer.Option(help="The width of a gaussian, in pixels; without it size / 6.")] = None,
    flip: Annotated[bool, typer.Option("--convolve/--correlate", help="Turn the kernel by 180 degrees first, or slide it as it is.")] = True,
    pad: Annotated[str, typer.Option(help="What lies outside: zero, reflect, edge, wrap; or valid, no outside.")] = "reflect",
    stride: Annotated[int, typer.Option(help="Pixels from one place to the next.")] = 1,
    dilation: Annotated[int, typer.Option(help="Pixels from one tap of the kernel to the next.")] = 1,
    grey: Annotated[bool, typer.Option("--grey", help="Without colours.")] = False,
    at: Annotated[str | None, typer.Option(help="The output pixel to work out: ROW,COLUMN; without it the strongest.")] = None,
    json: AsJson = False,
) -> None:
    """Slide a kernel over a photo, and work out one output pixel: its patch, the kernel as it is slid, the products, their sum."""
    part("lab.photo:require_png")(output)
    pixels = part("lab.photo:read")(photo, grey=grey)
    slide = part("lab.kernels:Slide")(flip, pad, stride, dilation)
    if match and patch is None:
        raise InputError("--match without a patch", "name a part of the photo: --patch 40,60,15,15 --match")
    if sum(given is not None for given in (matrix, patch)) > 1:
        raise InputError("both a matrix and a patch", "leave one of them out")
    if patch is not None:
        used = part("lab.catalogue:cut")(pixels, part("lab.catalogue:read_box")(patch))
    else:
        used = part("lab.catalogue:read_matrix")(matrix) if matrix is not None else part("lab.catalogue:named")(name, size, sigma)
    place = _pixel(at) if at is not None else None
    result = part("lab.kernelphoto:match_photo" if match else "lab.kernelphoto:filter_photo")(pixels, used, slide, output, place)
    print_json(result.summary) if json else show_kernel(result, photo, output, console)
