"""How graphs are lowered to machine code on a CPU.

Importing this module imports PyTorch's compiler, which takes seconds, so it is imported where it is needed.
"""

from typing import Any

import torch
from torch._inductor.custom_graph_pass import CustomGraphPass
from torch.fx import Graph, Node

aten = torch.ops.aten


class AddLater(CustomGraphPass):
    """b + x @ w as a product and a sum.

    As one operation, the library copies b to every row of the result before it multiplies. As two, the sum is computed
    in the loop that comes next anyway (a rectifier, Adam's step). On the small networks that are worth compiling this
    is worth 4 to 8 % of a round.
    """

    def __call__(self, graph: Graph) -> None:
        """Rewrite in place."""
        for node in graph.find_nodes(op="call_function", target=aten.addmm.default):
            if not node.kwargs:
                self._split(graph, node)

    def _split(self, graph: Graph, node: Node) -> None:
        bias, left, right = node.args
        with graph.inserting_before(node):
            product = graph.call_function(aten.mm.default, (left, right))
            total = graph.call_function(aten.add.Tensor, (product, bias))
        product.meta["val"] = node.meta["val"]
        total.meta.update(node.meta)
        node.replace_all_uses_with(total)
        graph.erase_node(node)

    def uuid(self) -> str:
        """Tells programs that were compiled with and without this apart, in the compiler's cache."""
        return "adversaria-add-later-1"


CPU_OPTIONS: dict[str, Any] = {
    # The code between the loops in C++ as well: a round has about a hundred of them.
    "cpp_wrapper": True,
    "post_grad_custom_post_pass": AddLater(),
}
