"""What a finished graph must pass before it is used: checker, shapes, an independent simplifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import InternalError

if TYPE_CHECKING:
    from onnx import ModelProto


def check_graph(model: ModelProto) -> None:
    """Valid by ONNX's own checker, every shape inferable, every value of a known type."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as problem:
        raise InternalError(f"the graph that was written is not valid ONNX: {problem}") from problem
    known = {value.name for value in inferred.graph.value_info}
    known |= {value.name for value in inferred.graph.output}
    made = {name for node in inferred.graph.node for name in node.output}
    if unknown := sorted(made - known):
        raise InternalError(f"no shape could be inferred for {', '.join(unknown[:5])}")


def simplifier_agrees(model: ModelProto) -> bool:
    """onnxsim makes of it a graph that computes the same, by onnxsim's own comparison.

    Ask it about the floating-point form: one INT8 step that rounds the other way is a difference.

    The simplified graph is not kept: it turns MatMul and Add into Gemm, which was measured slower
    (docs/onnx.md).
    """
    import io
    from contextlib import redirect_stdout

    import onnxsim

    shape = [max(1, size.dim_value) for size in model.graph.input[0].type.tensor_type.shape.dim]
    name = model.graph.input[0].name
    with redirect_stdout(io.StringIO()):
        _, agrees = onnxsim.simplify(model, check_n=1, test_input_shapes={name: shape})
    return bool(agrees)


def count_nodes(model: ModelProto, operator: str) -> int:
    return sum(node.op_type == operator for node in model.graph.node)
