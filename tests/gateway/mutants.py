"""Small changes to a program, one at a time, each of which some test must notice: comparisons, and/or, not, numbers, plus and minus.

Knows nothing of tests or of how they are run.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A whole program with one change at `line`."""

    line: int
    change: str
    text: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a program, top to bottom."""
    for number in range(sum(1 for _ in ast.walk(ast.parse(source)))):
        tree = ast.parse(source)
        node = list(ast.walk(tree))[number]
        change = _changed(node)
        if change:
            yield Mutant(getattr(node, "lineno", 0), change, ast.unparse(ast.fix_missing_locations(tree)))


def _changed(node: ast.AST) -> str:
    """Change a node where it stands and return how, or nothing where there is nothing to change."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        before, node.ops[0] = node.ops[0], OTHER[type(node.ops[0])]()  # type: ignore[assignment]
        return f"{type(before).__name__} -> {type(node.ops[0]).__name__}"
    if isinstance(node, ast.BoolOp):
        before, node.op = node.op, OTHER[type(node.op)]()  # type: ignore[assignment]
        return f"{type(before).__name__} -> {type(node.op).__name__}"
    if isinstance(node, ast.BinOp) and type(node.op) in OTHER and not isinstance(node.right, ast.JoinedStr):
        before, node.op = node.op, OTHER[type(node.op)]()  # type: ignore[assignment]
        return f"{type(before).__name__} -> {type(node.op).__name__}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
        return "not gone"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        node.value = not node.value
        return f"{not node.value} -> {node.value}"
    return ""
