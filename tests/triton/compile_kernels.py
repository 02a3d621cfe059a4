"""Compiles every kernel for sm_90 without a GPU and prints properties of each as JSON.

The argument is "rows" or "losses": one half each, for two test files that run side by side.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from option_types import kernel_options, types_of
from triton._utils import find_paths_if
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lastlayer.kernels.triton.launch import launch_for
from lastlayer.kernels.triton.options import Activation
from lastlayer.kernels.triton.softmax.cross_entropy import cross_entropy
from lastlayer.kernels.triton.softmax.forward import softmax_forward
from lastlayer.kernels.triton.softmax.row_slopes import row_slopes
from lastlayer.kernels.triton.softmax.row_sums import row_sums
from lastlayer.kernels.triton.sparse.fenchel_young import fenchel_young
from lastlayer.kernels.triton.sparse.forward import tsallis_forward

#: Softcap and temperature, as types: neither, with no class weights; and both.
PLAIN, CAPPED = (
    {"activation": Activation("constexpr", "constexpr"), "class_weight": None},
    {"activation": Activation("fp32", "fp32")},
)
#: (kernel, rule, compile-time values), for some numbers of classes; each takes another way through the launch rule.
ROWS = {
    "softmax": (softmax_forward, "probabilities", {"QUANTITY": "probabilities"}),
    "softmax of halves": (softmax_forward, "probabilities, half", {"QUANTITY": "probabilities"}),
    "log_softmax": (softmax_forward, "logarithms", {"QUANTITY": "log_probabilities"}),
    "log_softmax of halves": (softmax_forward, "logarithms, half", {"QUANTITY": "log_probabilities"}),
    "row sums": (row_sums, "heavy", PLAIN | {"HAS_DISTANCES": False}),
    "row sums, all options": (row_sums, "heavy", CAPPED | {"HAS_DISTANCES": True}),
    "row slopes": (row_slopes, "heavy", PLAIN | {"HAS_SHARE": False}),
    "row slopes, all options": (row_slopes, "heavy", CAPPED | {"HAS_SHARE": True}),
    "sparsemax": (tsallis_forward, "sparse", {"QUANTITY": "probabilities", "IS_ENTMAX": False}),
    "entmax": (tsallis_forward, "sparse", {"QUANTITY": "probabilities", "IS_ENTMAX": True}),
    "log_entmax": (tsallis_forward, "heavy", {"QUANTITY": "log_probabilities", "IS_ENTMAX": True}),
}


#: The type of every loss option, or "constexpr" if it is None; without options, and with all.
NO_OPTIONS, ALL_OPTIONS = (types_of(kernel_options(has_all)) for has_all in (False, True))
LABELS, SOFT = {"IS_SOFT": False, "loss_options": NO_OPTIONS}, {"IS_SOFT": True, "loss_options": NO_OPTIONS}
LOSSES = {
    "cross_entropy alone": (cross_entropy, "number", LABELS | {"gradient": None}),
    "cross_entropy": (cross_entropy, "gradient", LABELS),
    "cross_entropy of halves": (cross_entropy, "gradient, half", LABELS),
    "cross_entropy, all options": (cross_entropy, "heavy", LABELS | {"loss_options": ALL_OPTIONS}),
    "cross_entropy, soft": (cross_entropy, "heavy", SOFT),
    "sparsemax loss": (fenchel_young, "heavy", LABELS | {"IS_ENTMAX": False}),
    "entmax loss": (fenchel_young, "heavy", LABELS | {"IS_ENTMAX": True}),
    "entmax loss, all options": (fenchel_young, "heavy", LABELS | {"loss_options": ALL_OPTIONS, "IS_ENTMAX": True}),
}
HALVES = ("softmax of halves", "log_softmax of halves", "cross_entropy of halves")
EVERY = tuple(name for name in ROWS | LOSSES if name not in HALVES)
#: What a kernel that shares no rows is given for the arguments of those that do.
ALONE = {"published": None, "SLICES": 1, "SLICE": 1, "PAD": 1, "PHASE": 0}
#: One class, few, many, half types, and the largest single blocks, which leave a thread the fewest registers.
CASES = {
    (1, "fp32"): ("log_softmax", "log_entmax", "cross_entropy, all options", "entmax loss, all options"),
    (64, "fp32"): EVERY,
    (100_000, "fp32"): EVERY,
    (100_000, "bf16"): HALVES,
    (4096, "bf16"): (*HALVES, "entmax loss"),
    (16384, "fp32"): ("log_softmax",),
    (32768, "fp32"): ("softmax", "cross_entropy"),
    (32768, "bf16"): HALVES,
}


def type_of(name: str, dtype: str, is_soft: bool) -> str:
    if name in ("scores", "out", "gradient"):
        return f"*{dtype}"
    if name in ("published", "places", "argmax"):
        return "*i64"
    if name == "numbers":
        return "*fp64"
    if name == "is_live":
        return "*i8"
    if name == "class_weight":
        return "*fp32"
    if name == "targets":
        return "*fp32" if is_soft else "*i64"
    if name == "losses":
        return "*fp32"
    if name.startswith("stride"):
        return "i64"
    return "i32"


def compiled(kernel: Any, rule: str, values: dict[str, Any], classes: int, dtype: str) -> dict[str, Any]:
    sizes = dict(launch_for(1024, classes, rule).sizes)
    options = {name: sizes.pop(name) for name in ("num_warps", "enable_fp_fusion", "maxnreg") if name in sizes}
    names = kernel.arg_names
    shared = {"PHASE": 0} if "SLICES" in sizes else ALONE
    constants = values | {name: value for name, value in shared.items() if name in names} | sizes
    # A record of options is bound field by field.
    of_record = "loss_options" if "loss_options" in names else "activation"
    record = constants.pop(of_record, None)
    if classes == 1:
        # As Triton does at a launch: an argument of 1 is a compile-time value.
        constants |= {name: 1 for name in names if name in ("N", "K") or name.startswith("stride")}
    signature = {
        name: "constexpr" if name in constants else type_of(name, dtype, constants.get("IS_SOFT", False))
        for name in names
    }
    aligned = {
        (i,): [["tt.divisibility", 16]]
        for i, name in enumerate(names)
        if name not in constants and (name == "K" or name.startswith("stride") or signature[name].startswith("*"))
    }
    paths = {(names.index(name),): value for name, value in constants.items()}
    if record is not None:
        place = names.index(of_record)
        signature[of_record] = record
        paths |= {(place, *path): None for path in find_paths_if(record, lambda _, kind: kind == "constexpr")}
        pointers = find_paths_if(record, lambda _, kind: str(kind).startswith("*"))
        aligned |= {(place, *path): [["tt.divisibility", 16]] for path in pointers}
    source = ASTSource(kernel, signature, paths, aligned)
    result = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assembly = result.asm["ptx"]
    return {
        "cubin": len(result.asm["cubin"]),
        "is_fused": result.metadata.enable_fp_fusion,
        "inexact": sorted(set(re.findall(r"[\w.]*(?:\.approx|\.full|\.ftz)[\w.]*", assembly))),
        "rounds_to_bf16": "cvt.rn.bf16" in assembly,
        "is_vectorised": ".v4.b32" in assembly,
    } | resources(result.asm["cubin"])


def resources(cubin: bytes) -> dict[str, int]:
    """Registers, and bytes of stack: where ptxas spills to."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([tool, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True)
    found = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", text.stdout)}
    return {"registers": found["REG"], "spilled": found["STACK"] + found["LOCAL"]}


if __name__ == "__main__":
    kernels = {"rows": ROWS, "losses": LOSSES}[sys.argv[1]]
    print(
        json.dumps(
            {
                f"{name}, {dtype}, {classes} classes": compiled(*kernels[name], classes, dtype)
                for (classes, dtype), names in CASES.items()
                for name in names
                if name in kernels
            }
        )
    )
