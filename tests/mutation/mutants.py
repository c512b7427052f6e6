"""Small changes to a module's code, one at a time, on its syntax tree."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """`number`: the how-manieth change of its module; `was` and `now`: what changed, as code."""

    module: str
    line: int
    number: int
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.was} → {self.now}"


class _Changes(ast.NodeTransformer):
    """Lists the changes, or makes one. Annotations, decorators, the keywords of a class,
    and the code that only types read are left alone."""

    def __init__(self, module: str, wanted: int | None = None) -> None:
        self.module = module
        self.found: list[Mutant] = []
        self._wanted = wanted

    def _offer(self, node: ast.expr | ast.stmt, now: ast.AST) -> ast.AST:
        number = len(self.found)
        self.found.append(Mutant(self.module, node.lineno, number, ast.unparse(node), ast.unparse(now)))
        return ast.copy_location(now, node) if number == self._wanted else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(one) for one in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [self.visit(one) for one in node.body]
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        return node if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if (swapped := _COMPARED.get(type(node.ops[0]))) is None:
            return node
        now = copy.copy(node)
        now.ops = [swapped(), *node.ops[1:]]
        return self._offer(node, now)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        now = copy.copy(node)
        now.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self._offer(node, now)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self._offer(node, node.operand) if isinstance(node.op, ast.Not) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if (swapped := _COUNTED.get(type(node.op))) is None or isinstance(node.left, ast.Constant | ast.JoinedStr):
            return node
        now = copy.copy(node)
        now.op = swapped()
        return self._offer(node, now)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool):
            return self._offer(node, ast.Constant(not node.value))
        if isinstance(node.value, int | float):
            return self._offer(node, ast.Constant(node.value + 1))
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        value = node.value.value if isinstance(node.value, ast.Constant) else node.value
        if value is None or value is False:  # where yes or no is asked for; and the type checker refuses None
            return node
        return self._offer(node, ast.Return(ast.Constant(None)))


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every change that is known of, in the order of the code."""
    changes = _Changes(module)
    changes.visit(ast.parse(source))
    yield from changes.found


def changed(source: str, mutant: Mutant) -> ast.Module:
    """The module with that one change."""
    tree = _Changes(mutant.module, mutant.number).visit(ast.parse(source))
    fixed: ast.Module = ast.fix_missing_locations(tree)
    return fixed
