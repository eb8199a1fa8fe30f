"""Removal of source paths from exported models: where in the Python code each node was made.

The paths are those of the machine that exported: its folders, its user, its environment. A file that is
given away should not hold them. No output depends on them.
"""

import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from torch.export import ExportedProgram

ONNX_STACK_TRACE = "pkg.torch.onnx.stack_trace"


def remove_onnx_stack_traces(model: Any) -> None:
    """Remove the stack traces from every node of an ONNX model (``onnx_ir.Model``), its functions' included."""
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes():
            node.metadata_props.pop(ONNX_STACK_TRACE, None)


def remove_stack_traces(program: ExportedProgram) -> None:
    """Remove the stack traces from every node of a program, its inner graphs' included."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def copy_without_debug_records(saved: IO[bytes], path: Path) -> None:
    """Copy a TorchScript archive without its ``.debug_pkl`` records, which name the source line of each operation.

    ``torch.jit.save`` always writes them, and ``torch.jit.load`` takes an archive without them.
    """
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for record in source.infolist():
            if not record.filename.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(record.filename), source.read(record))
