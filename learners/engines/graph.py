"""Uses of learned parameters that no hook sees: found in the graph of the losses, at every step.

`F.linear(x, self.embedding.weight)`, a weight decay in the loss, a submodule's weight read by another module: the layer
itself may have been called as well, so that counting calls finds nothing, and the norm would miss a part silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch.autograd.graph import Node


def reached(
    losses: Node | None, uses: Sequence[tuple[Sequence[Node], Sequence[Node]]], learned: Mapping[int, str]
) -> tuple[list[str], set[Node]]:
    """Names of learned parameters that the losses reach by a way that no kept use of a layer explains; and which of
    the outputs were reached from the losses.

    losses: the node that made them. uses: of each seen layer, the nodes that made what it took in, and what it gave.
    learned: names by id of the parameter. The walk goes from the losses and from every layer's inputs backwards, and
    stops at every layer's outputs. A forward pass that the losses do not come from, as for a figure on the way, was
    seen too, but none of its outputs is reached.
    """
    border: dict[Node, list[Node]] = {}
    for inputs, outputs in uses:
        for output in outputs:
            border.setdefault(output, []).extend(inputs)
    used: set[Node] = set()
    _walk([losses], border, used, {}, through=True)
    found: set[str] = set()
    _walk([losses, *(node for inputs, _ in uses for node in inputs)], border, set(), learned, found)
    return sorted(found), used & border.keys()


def _walk(
    start: Sequence[Node | None],
    border: Mapping[Node, Sequence[Node]],
    seen: set[Node],
    learned: Mapping[int, str],
    found: set[str] | None = None,
    *,
    through: bool = False,
) -> None:
    """Backwards from `start`, into `seen`; learned parameters that are met into `found`. It stops at outputs of layers,
    or goes on with what these layers took in."""
    waiting = [node for node in start if node is not None]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in border:
            waiting += border[node] if through else ()
            continue
        variable = getattr(node, "variable", None)  # of the nodes that accumulate into a leaf
        if found is not None and variable is not None and id(variable) in learned:
            found.add(learned[id(variable)])
        waiting += [before for before, _ in node.next_functions if before is not None]


def compiled_together(node: Node) -> bool:
    """Whether the node is a piece of compiled code with several outputs: a way between two of them is inside of it,
    and no gradient at one of them counts it."""
    return "Compiled" in node.name() and len(getattr(node, "_input_metadata", (None, None))) > 1
