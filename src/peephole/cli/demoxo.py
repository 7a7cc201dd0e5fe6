"""The demo's X-or-O act: a network that can be worked by hand, then one of the same layers on real handwriting."""

from typing import TYPE_CHECKING

import numpy as np

from peephole.base.extras import load as part
from peephole.cli.labxoshow import beside, map_of_numbers, pixels
from peephole.cli.show import console

if TYPE_CHECKING:
    from peephole.cli.demo import Handwriting
    from peephole.lab.x_or_o import Worked

__all__ = ["act"]

EACH = 100  # drawings asked of each sort


def act(drawn: "Handwriting") -> None:
    """Show the 9 x 9 X worked exactly, a shift that fools pixels but not parts, and the shipped model on real digits and drawn X."""
    cross, work, compare = (part(name) for name in ("lab.drawn:cross", "lab.x_or_o:work", "lab.parts:compare"))
    worked: Worked = work(cross())
    first = worked.maps[0]
    beside(
        console,
        [
            ("an X", pixels(worked.picture)),
            ("a filter", map_of_numbers(first.filter, 1)),
            ("its match, in ninths", map_of_numbers(first.matches.parts, 9)),
            ("pooled", map_of_numbers(first.pooled.parts, 9)),
            ("again", map_of_numbers(first.pooled_twice.parts, 9)),
        ],
    )
    shares = " and ".join(f"{vote.label} {vote.parts}/{vote.whole * len(vote.voters)}" for vote in worked.votes)
    console.print(f"   Nine products make each number: top left 8 - 1 = 7, a match of 7/9. Three filters like it vote: {shares}.", markup=False)
    moved = part("lab.drawn:shift")(cross(), 2, 0)
    with_x, with_o = (compare(template, moved) for template in (cross(), part("lab.drawn:ring")()))
    console.print(
        f"   Two rows down it has {with_x.whole.equal} of 81 pixels in common with the X and {with_o.whole.equal} with an O;"
        f" its parts are still all there: {', '.join(f'{one.best_b}/9' for one in with_x.parts)}.",
        markup=False,
    )
    _ask(drawn)


def _ask(drawn: "Handwriting") -> None:
    """Ask the shipped model about zeros (a written 0 is an O), X that a program drew, and the other digits."""
    path, draw = part("lab.shipped:shipped")(), part("lab.hand:draw")
    model = part("decide.predictor:load")(path)
    zeros = list(drawn.pixels[drawn.digits == 0][:EACH])
    others = [one for digit in range(1, 10) for one in drawn.pixels[drawn.digits == digit][: EACH // 9]]
    crosses = [np.rint(255 * (1 - draw("X", 3_000_000 + seed))).astype(np.uint8) for seed in range(EACH)]
    named = {label: sum(answer.label == label for answer in model.predict(asked)) for label, asked in (("O", zeros), ("X", crosses))}
    refused = sum(not answer.accepted for answer in model.predict(others))
    console.print(
        f"   {path.name}, {path.stat().st_size / 1e3:.0f} kB, the same layers with filters that were learned from a program's drawings:"
        f"\n   real zeros named O: {named['O']} of {len(zeros)}; drawn X named X: {named['X']} of {len(crosses)};"
        f" real digits 1 to 9 refused: {refused} of {len(others)}",
        markup=False,
    )
