"""Uses of learned parameters that no hook sees: found in the graph of the losses, at every step.

`F.linear(x, self.embedding.weight)`, a weight decay in the loss, a submodule's weight read by another module: the layer
itself may have been called as well, so that counting calls finds nothing, and the norm would miss a part silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch.autograd.graph import Node


def reached(
    losses: Node | None, inputs: Iterable[Node], outputs: Iterable[Node], learned: Mapping[int, str]
) -> tuple[list[str], set[Node]]:
    """Names of learned parameters that the losses reach by a way that no kept use of a layer explains; and which of
    `outputs` were reached.

    losses: the node that made them. inputs, outputs: the nodes that made what the seen layers took in, and gave.
    learned: names by id of the parameter. The walk goes from the losses and from every layer's inputs backwards, and
    stops at every layer's outputs.
    """
    border = set(outputs)
    seen: set[Node] = set()
    found: set[str] = set()
    waiting = [node for node in (losses, *inputs) if node is not None]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in border:
            continue
        variable = getattr(node, "variable", None)  # of the nodes that accumulate into a leaf
        if variable is not None and id(variable) in learned:
            found.add(learned[id(variable)])
        waiting += [before for before, _ in node.next_functions if before is not None]
    return sorted(found), seen & border


def compiled_together(node: Node) -> bool:
    """Whether the node is a piece of compiled code with several outputs: a way between two of them is inside of it,
    and no gradient at one of them counts it."""
    return "Compiled" in node.name() and len(getattr(node, "_input_metadata", (None, None))) > 1
