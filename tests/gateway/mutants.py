"""Small changes to a program, one at a time, each of which some test must notice; knows nothing of tests or of how they are run.

A comparison or its opposite, `and` for `or`, plus for minus, True for False, a number one higher, a condition or a `not` the other way
round, a call that is not made, and a fact that `replace` does not carry over.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip

Change = tuple[str, str, Any]  # how it is called, the attribute of a node, and its other value


@dataclass(frozen=True)
class Mutant:
    """A whole program with one change at `line`."""

    line: int
    change: str
    text: str


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a program, top to bottom."""
    tree, found = ast.parse(source), []
    for node in _looked_at(tree):
        for change, name, value in _changes(node):
            before = getattr(node, name)
            setattr(node, name, value)
            found.append(Mutant(getattr(node, "lineno", 0), change, ast.unparse(tree)))
            setattr(node, name, before)
    return sorted(found, key=lambda mutant: mutant.line)


def _looked_at(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it, but for what no test need notice.

    An assert speaks to the type checker and fails of itself when it is changed. What a dataclass's decorator says (frozen) the type
    checker keeps.
    """
    if isinstance(node, ast.Assert):
        return
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name != "decorator_list":
                yield from _looked_at(child)


def _changes(node: ast.AST) -> Iterator[Change]:
    """Yield the changes of one node, without what stands below it."""
    if isinstance(node, ast.Compare):
        for at, sign in enumerate(node.ops):
            other = OTHER[type(sign)]()
            yield _named(sign, other), "ops", [*node.ops[:at], other, *node.ops[at + 1 :]]
    elif isinstance(node, ast.BoolOp) or (isinstance(node, ast.BinOp) and type(node.op) in OTHER and not _is_text(node)):
        yield _named(node.op, OTHER[type(node.op)]()), "op", OTHER[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not gone", "operand", ast.UnaryOp(ast.Not(), node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", "value", not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} -> {node.value + 1}", "value", node.value + 1
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and isinstance(node.test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr):
        yield f"not {ast.unparse(node.test)}", "test", ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield f"{ast.unparse(node.value)} gone", "value", ast.Constant(None)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "replace":
        for at, keyword in enumerate(node.keywords):
            yield f"{keyword.arg} not carried over", "keywords", [*node.keywords[:at], *node.keywords[at + 1 :]]


def _named(before: ast.AST, after: ast.AST) -> str:
    return f"{type(before).__name__} -> {type(after).__name__}"


def _is_text(node: ast.AST) -> bool:
    """Say whether texts are put together: there is no minus between them, so a change would fail of itself."""
    return any(isinstance(one, ast.JoinedStr) or (isinstance(one, ast.Constant) and isinstance(one.value, str | bytes)) for one in ast.walk(node))
