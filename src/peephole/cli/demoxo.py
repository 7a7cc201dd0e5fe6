"""The demo's X-or-O act: a network that can be worked by hand, then one of the same layers on real handwriting."""

from typing import TYPE_CHECKING

import numpy as np

from peephole.base.extras import load as part
from peephole.cli.labxoshow import beside, map_of_numbers, pixels
from peephole.cli.show import console

if TYPE_CHECKING:
    from peephole.lab.x_or_o import Worked

__all__ = ["act"]

EACH = 100  # drawings asked of each sort


def act(drawn: np.ndarray, digits: np.ndarray) -> None:
    """Show the 9 x 9 X worked exactly, a shift that fools pixels but not parts, and the shipped model on drawings.

    drawn: real digits, uint8 (N, 28, 28), white on black; digits: which each is (N,).
    """
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
    _ask(drawn, digits)


def _ask(drawn: np.ndarray, digits: np.ndarray) -> None:
    """Ask the shipped model about X and O that a program drew, real zeros (most are slimmer than an O), and the other digits."""
    path, draw = part("lab.shipped:shipped")(), part("lab.hand:draw")
    model = part("decide.predictor:load")(path)
    signs = {kind: model.predict([np.rint(255 * (1 - draw(kind, 3_000_000 + seed))).astype(np.uint8) for seed in range(EACH)]) for kind in ("X", "O")}
    named = {kind: sum(answer.label == kind for answer in answers) for kind, answers in signs.items()}
    zeros = model.predict(list(drawn[digits == 0][:EACH]))
    others = model.predict([one for digit in range(1, 10) for one in drawn[digits == digit][: EACH // 9]])
    console.print(
        f"   {path.name}, {path.stat().st_size / 1e3:.0f} kB, has the same layers, with filters that it learned from a program's drawings."
        f"\n   Fresh ones: {named['X']} of {EACH} X named X, {named['O']} of {EACH} O named O."
        f"\n   Real handwriting: {sum(not one.accepted for one in others)} of {len(others)} digits 1 to 9 are strangers;"
        f" of {len(zeros)} zeros {sum(one.label == 'O' for one in zeros)} are round enough for an O,"
        f" {sum(one.label == 'X' for one in zeros)} are an X.",
        markup=False,
    )
