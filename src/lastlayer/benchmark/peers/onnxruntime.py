"""ONNX Runtime on the CPU: one operator a graph, its input and output bound to our buffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer, loss, values
from lastlayer.benchmark.problem import Problem

_THREADS: ContextVar[int] = ContextVar("threads of a session", default=1)
_TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
#: Operation → operator, its attributes, the shape of its result.
_OPERATORS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "softmax": ("Softmax", {"axis": -1}, ["rows", "classes"]),
    "log_softmax": ("LogSoftmax", {"axis": -1}, ["rows", "classes"]),
    "logsumexp": ("ReduceLogSumExp", {"keepdims": 0}, ["rows"]),
    "cross_entropy": ("SoftmaxCrossEntropyLoss", {"reduction": "mean"}, []),
}


@lru_cache(maxsize=16)
def _runtime(computes: str, dtype: str, threads: int) -> Any:
    """A session for one operator; it takes any shape."""
    operator, attributes, shape = _OPERATORS[computes]
    kind = _TYPES[dtype]
    inputs = [helper.make_tensor_value_info("scores", kind, ["rows", "classes"])]
    constants = []
    if operator == "SoftmaxCrossEntropyLoss":
        inputs.append(helper.make_tensor_value_info("labels", TensorProto.INT64, ["rows"]))
    elif operator == "ReduceLogSumExp":
        constants.append(helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
    names = [entry.name for entry in (*inputs, *constants)]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["result"], **attributes)],
        computes,
        inputs,
        [helper.make_tensor_value_info("result", kind, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _prepare(operation: Operation, problem: Problem) -> Call | None:
    if operation.computes not in _OPERATORS:
        return None
    x = problem.scores
    session = _runtime(operation.computes, x.dtype.name, _THREADS.get())
    has_labels = operation.computes == "cross_entropy"
    if operation.fresh:
        feed = {"scores": x, "labels": problem.labels} if has_labels else {"scores": x}
        return Call(lambda: session.run(None, feed)[0], values)
    shape = {2: x.shape, 1: x.shape[:1], 0: ()}[len(_OPERATORS[operation.computes][2])]
    result = problem.out if shape == x.shape else np.full(shape, np.nan, x.dtype)
    binding = session.io_binding()
    binding.bind_input("scores", "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    if has_labels:
        binding.bind_input("labels", "cpu", 0, np.int64, problem.labels.shape, problem.labels.ctypes.data)
    binding.bind_output("result", "cpu", 0, x.dtype, shape, result.ctypes.data)

    def run() -> np.ndarray:
        session.run_with_iobinding(binding)
        return result

    return Call(run, loss if has_labels else values)


@contextmanager
def _session(threads: int, dtype: np.dtype) -> Iterator[None]:
    token = _THREADS.set(threads)
    try:
        yield
    finally:
        _THREADS.reset(token)
        _runtime.cache_clear()


PEER = Peer("onnxruntime", onnxruntime.__version__, _prepare, _session)
