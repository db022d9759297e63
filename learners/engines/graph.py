"""Uses of learned parameters that no hook sees: found in the graph of the losses, at every step.

`F.linear(x, self.embedding.weight)`, a weight decay in the loss, a submodule's weight read by another module: the layer
itself may have been called as well, so that counting calls finds nothing, and the norm would miss a part silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch.autograd.graph import Node


def reached_outside(
    losses: Node | None, inputs: Iterable[Node], outputs: Iterable[Node], learned: Mapping[int, str]
) -> list[str]:
    """Names of learned parameters that the losses reach by a way that no kept use of a layer explains.

    losses: the node that made them. inputs, outputs: the nodes that made what the seen layers took in, and gave.
    learned: names by id of the parameter. The walk goes from the losses and from every layer's inputs backwards, and
    stops at every layer's outputs.
    """
    border = set(outputs)
    seen: set[Node] = set()
    found: set[str] = set()
    waiting = [node for node in (losses, *inputs) if node is not None and node not in border]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)  # of the nodes that accumulate into a leaf
        if variable is not None and id(variable) in learned:
            found.add(learned[id(variable)])
        waiting += [before for before, _ in node.next_functions if before is not None and before not in border]
    return sorted(found)
