"""Scores from files of arrays and tensors: every format gives the same rows, and every wrong file one sentence."""

from __future__ import annotations

import errno
import importlib
import io
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from running import IS_NIGHTLY, run_python
from safetensors.numpy import save_file as save_numpy_file
from safetensors.torch import save_file as save_torch_file

from lastlayer.evaluation import EvaluationError
from lastlayer.evaluation.read import read_inputs
from lastlayer.evaluation.read.inputs import Inputs

RNG = np.random.default_rng(1)
SCORES = RNG.normal(size=(240, 4)).astype(np.float32) * 3
LABELS = RNG.integers(0, 4, 240)
#: Powers of two and their like, which bfloat16 holds exactly.
SHORT = RNG.choice([-4.0, -1.5, 0.25, 3.0, 20.0], size=(240, 4)).astype(np.float32)


def codes(inputs: Inputs) -> list[str]:
    return [finding.code for finding in inputs.findings]


def check(inputs: Inputs, scores: np.ndarray = SCORES, labels: np.ndarray = LABELS) -> None:
    np.testing.assert_array_equal(inputs.scores.block(0, inputs.scores.n), scores)
    np.testing.assert_array_equal(inputs.labels, labels)
    assert inputs.labels.dtype == np.int64
    assert (inputs.scores.kind, inputs.n_left_out, codes(inputs)) == ("scores", 0, [])


def test_npy_is_mapped_and_not_copied(tmp_path):
    np.save(tmp_path / "scores.npy", SCORES)
    np.save(tmp_path / "labels.npy", LABELS.astype(np.uint8))
    inputs = read_inputs(tmp_path / "scores.npy", str(tmp_path / "labels.npy"))
    check(inputs)
    assert isinstance(inputs.scores.array, np.memmap)
    assert inputs.scores.rows is None
    assert (inputs.name, inputs.path) == ("scores.npy", tmp_path / "scores.npy")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
def test_npy_of_every_float_and_order(tmp_path, dtype, order):
    np.save(tmp_path / "scores.npy", np.array(SCORES, dtype=dtype, order=order))
    check(read_inputs(tmp_path / "scores.npy", LABELS))


def test_half_precision_and_integers(tmp_path):
    np.save(tmp_path / "half.npy", SHORT.astype(np.float16))
    inputs = read_inputs(tmp_path / "half.npy", LABELS)
    assert inputs.scores.array.dtype == np.float16
    check(inputs, SHORT)
    whole = np.round(SCORES).astype(np.int16)
    check(read_inputs(whole, LABELS), whole)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("scores", "labels"), ("logits", "y"), ("outputs", "targets"), ("arr_0", "arr_1")])
def test_npz_by_usual_names(tmp_path, save, names):
    save(tmp_path / "both.npz", **dict(zip(names, (SCORES, LABELS), strict=True)))
    check(read_inputs(tmp_path / "both.npz"))


def test_npz_by_the_users_names(tmp_path):
    np.savez(tmp_path / "both.npz", val=SCORES, test=-SCORES, gold=LABELS, labels=LABELS[::-1])
    check(read_inputs(tmp_path / "both.npz", key="val", labels_key="gold"))
    with pytest.raises(EvaluationError, match=r"holds 'val', 'test', 'gold', 'labels'; say with key \(--key\)"):
        read_inputs(tmp_path / "both.npz", labels_key="gold")
    with pytest.raises(EvaluationError, match="has no array 'tset'; the nearest name is 'test'"):
        read_inputs(tmp_path / "both.npz", key="tset", labels_key="gold")


def test_npz_with_two_possible_scores_is_refused(tmp_path):
    np.savez(tmp_path / "both.npz", logits=SCORES, probabilities=SCORES, labels=LABELS)
    with pytest.raises(EvaluationError, match="holds 'logits', 'probabilities'; say with key"):
        read_inputs(tmp_path / "both.npz")
    check(read_inputs(tmp_path / "both.npz", key="logits"))


def test_labels_from_another_npz(tmp_path):
    np.save(tmp_path / "scores.npy", SCORES)
    np.savez(tmp_path / "labels.npz", split=np.zeros(240), y=LABELS)
    check(read_inputs(tmp_path / "scores.npy", tmp_path / "labels.npz"))
    np.savez(tmp_path / "odd.npz", a=LABELS, b=LABELS)
    with pytest.raises(EvaluationError, match=r"odd.npz holds 'a', 'b'; name the one with the labels"):
        read_inputs(tmp_path / "scores.npy", tmp_path / "odd.npz")
    check(read_inputs(tmp_path / "scores.npy", tmp_path / "odd.npz", labels_key="b"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_every_float(tmp_path, dtype):
    tensors = {"logits": torch.from_numpy(SHORT).to(dtype), "labels": torch.from_numpy(LABELS)}
    save_torch_file(tensors, tmp_path / "both.safetensors")
    torch.save(tensors, tmp_path / "both.pt")
    check(read_inputs(tmp_path / "both.safetensors"), SHORT)
    check(read_inputs(tmp_path / "both.pt"), SHORT)
    check(read_inputs(tensors["logits"].requires_grad_(), tensors["labels"]), SHORT)


def test_safetensors_are_mapped(tmp_path):
    save_numpy_file({"a": np.zeros(3, np.uint8), "scores": SCORES, "y": LABELS}, tmp_path / "x.safetensors")
    inputs = read_inputs(tmp_path / "x.safetensors")
    check(inputs)
    assert isinstance(inputs.scores.array, np.memmap)


def test_pt_of_one_tensor_and_in_the_old_format(tmp_path):
    torch.save(torch.from_numpy(SCORES), tmp_path / "scores.pth")
    check(read_inputs(tmp_path / "scores.pth", LABELS))
    torch.save(torch.from_numpy(SCORES), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    check(read_inputs(tmp_path / "old.pt", torch.from_numpy(LABELS)))


def test_objects_of_python(tmp_path):
    check(read_inputs(SCORES.tolist(), LABELS.tolist()))
    check(read_inputs({"scores": SCORES, "labels": LABELS}))
    check(read_inputs(np.ma.masked_array(SCORES), LABELS))
    check(read_inputs(np.asfortranarray(SCORES), LABELS[:, None]))
    assert read_inputs(SCORES, LABELS).name == "array"


def test_one_dimension_and_one_column_are_two_classes(tmp_path):
    x, y = SCORES[:, 0], LABELS % 2
    expected = np.stack([np.zeros_like(x), x], axis=1)
    np.save(tmp_path / "scores.npy", x)
    for scores in (x, x[:, None], torch.from_numpy(x), tmp_path / "scores.npy"):
        check(read_inputs(scores, y), expected, y)


class Harmful:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_is_never_loaded(tmp_path):
    trace = tmp_path / "trace"
    bomb = Harmful(trace)
    (tmp_path / "plain.npy").write_bytes(pickle.dumps(bomb))
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(bomb))
    torch.save({"scores": torch.zeros(3, 2), "bomb": bomb}, tmp_path / "dict.pt")
    np.save(tmp_path / "objects.npy", np.array([bomb, bomb], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", scores=np.array([bomb, bomb], dtype=object), labels=np.zeros(2))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(EvaluationError, match=r"can run code|is no readable"):
            read_inputs(path, [0, 1, 1])
    assert not trace.exists()
    # The file would have run: otherwise nothing was tested.
    pickle.loads(pickle.dumps(bomb))
    assert trace.exists()


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


WRONG = {
    "text.npy": (b"0.1,0.9\n0.2,0.8\n", "no readable .npy file of NumPy"),
    "text.npz": (b"0.1,0.9\n0.2,0.8\n", "no readable .npz file of NumPy"),
    "zip.npz": (b"PK\x03\x04 and nothing", "no readable .npz file of NumPy"),
    "cut.npy": (npy(SCORES)[:-100], "ends too early; copy it again"),
    "head.npy": (npy(SCORES)[:40], "no readable .npy file|ends too early"),
    "empty.npy": (b"", "is empty; write the scores again"),
    "empty.csv": (b"", "is empty; write the scores again"),
    "three.npy": (npy(np.zeros((3, 2, 2))), r"has the shape \(3, 2, 2\), not \(rows, classes\)"),
    "number.npy": (npy(np.float32(3)), r"has the shape \(\), not \(rows, classes\)"),
    "norows.npy": (npy(np.zeros((0, 3))), r"shape \(0, 3\), so there is nothing to evaluate"),
    "nocolumns.npy": (npy(np.zeros((3, 0))), r"shape \(3, 0\), so there is nothing to evaluate"),
    "complex.npy": (npy(np.zeros((3, 2), complex)), "holds complex numbers"),
    "bool.npy": (npy(np.zeros((3, 2), bool)), "holds bools"),
    "words.npy": (npy(np.array([["a", "b"]])), "holds texts"),
    "dates.npy": (npy(np.zeros((3, 2), "M8[D]")), "holds numbers of the type datetime64"),
    "record.npy": (npy(np.zeros(3, "f4,i4")), "holds numbers of the type"),
    "text.safetensors": (b"0.1,0.9\n0.2,0.8\n", "no readable .safetensors file"),
    "text.pt": (b"0.1,0.9\n0.2,0.8\n", "no readable file of torch"),
    "zip.pt": (b"PK\x03\x04 and nothing", "no readable file of torch"),
    "text.parquet": (b"0.1,0.9\n0.2,0.8\n", "no readable Parquet file"),
    "array.csv": (npy(SCORES), "is no text, whatever its name says"),
    "plain.csv.gz": (b"0.1,0.9\n0.2,0.8\n", "no whole .gz file"),
    "array.npy.gz": (b"\x1f\x8b", "is packed; unpack it first"),
    "model.onnx": (b"x", "is no file that is read here; give .npy"),
    "none": (b"x", "is no file that is read here; give .npy"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gives_one_sentence(tmp_path, name):
    content, sentence = WRONG[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvaluationError, match=sentence) as caught:
        read_inputs(tmp_path / name, [0, 1, 1])
    message = str(caught.value)
    assert name in message
    assert "\n" not in message
    assert message.endswith(".")
    assert (tmp_path / name).read_bytes() == content


def test_a_folder_and_a_missing_file(tmp_path):
    with pytest.raises(EvaluationError, match="is a folder; give the file of scores in it"):
        read_inputs(tmp_path, LABELS)
    with pytest.raises(EvaluationError, match=r"There is no file .*scores.npy; check the name"):
        read_inputs(tmp_path / "scores.npy", LABELS)
    with pytest.raises(EvaluationError, match=r"There is no file .*labels.npy; check the name"):
        read_inputs(SCORES, tmp_path / "labels.npy")


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".safetensors", ".pt", ".parquet"])
def test_a_file_that_may_not_be_read(tmp_path, suffix, monkeypatch):
    """As root every file may be read, so that the refusal of the system is played here."""
    path = tmp_path / f"scores{suffix}"
    path.write_bytes(b"some bytes")

    def refuse(self, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "is_dir", lambda self: False)
    monkeypatch.setattr(Path, "exists", lambda self: True)
    with pytest.raises(EvaluationError, match=r"cannot be read \(Permission denied\); check that it is whole"):
        read_inputs(path, LABELS)


def test_a_cut_archive_is_named(tmp_path):
    np.savez(tmp_path / "both.npz", scores=SCORES, labels=LABELS)
    content = bytearray((tmp_path / "both.npz").read_bytes())
    content[300:400] = bytes(100)
    (tmp_path / "both.npz").write_bytes(content)
    with pytest.raises(EvaluationError, match=r"both.npz is no readable .npz file"):
        read_inputs(tmp_path / "both.npz")


def test_a_file_of_torch_without_tensors(tmp_path):
    torch.save({"epoch": 3, "acc": 0.5}, tmp_path / "meta.pt")
    with pytest.raises(EvaluationError, match="holds a dict without tensors that could be scores"):
        read_inputs(tmp_path / "meta.pt", LABELS)


def test_an_unknown_type_of_tensor(tmp_path):
    save_torch_file({"scores": torch.zeros(4, 2).to(torch.float8_e4m3fn)}, tmp_path / "x.safetensors")
    with pytest.raises(EvaluationError, match=r"'scores' of x.safetensors has the type F8_E4M3; save it as float32"):
        read_inputs(tmp_path / "x.safetensors", LABELS)


def test_objects_that_are_no_scores():
    for values, sentence in {
        "complex": (SCORES.astype(complex), "holds complex numbers"),
        "texts": ([["a", "b"]], "holds texts"),
        "objects": (np.array([[1, None]], dtype=object), "holds Python objects"),
        "ragged": ([[1.0, 2.0], [1.0]], "cannot be made a NumPy array"),
        "wide": (SCORES.astype(np.longdouble), "give float64"),
    }.values():
        with pytest.raises(EvaluationError, match=sentence):
            read_inputs(values, LABELS[: len(values)])


@pytest.mark.parametrize(
    ("package", "suffix", "extra"), [("torch", ".pt", "torch"), ("safetensors", ".safetensors", "study")]
)
def test_a_missing_package_names_the_line_that_installs_it(tmp_path, monkeypatch, package, suffix, extra):
    (tmp_path / f"x{suffix}").write_bytes(b"x")
    for name in [name for name in sys.modules if name.startswith("lastlayer.evaluation.read.")]:
        if name.endswith(("torch_file", "safetensors_file")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)

    def load(name):
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr(importlib, "import_module", load)
    with pytest.raises(EvaluationError, match=rf'needs {package}; install it with: pip install "lastlayer\[{extra}\]"'):
        read_inputs(tmp_path / f"x{suffix}", LABELS)


def test_reading_numpy_loads_no_framework():
    code = (
        "import sys, numpy as np\n"
        "from lastlayer.evaluation.read import read_inputs\n"
        "read_inputs(np.zeros((4, 3)) + 2, [0, 1, 2, 0])\n"
        "print([name for name in ('torch', 'pandas', 'pyarrow', 'safetensors', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    assert run_python(code).stdout.strip() == "[]"


def test_no_copy_of_the_whole_is_made(tmp_path):
    """Peak memory over a file of 80 MB that is mapped: its pages, and little else."""
    np.save(tmp_path / "scores.npy", np.random.default_rng(0).normal(size=(20000, 1000)).astype(np.float32))
    np.save(tmp_path / "labels.npy", np.arange(20000) % 1000)
    code = (
        "import tracemalloc\n"
        "from lastlayer.evaluation.read import read_inputs\n"
        "tracemalloc.start()\n"
        f"read_inputs({str(tmp_path / 'scores.npy')!r}, {str(tmp_path / 'labels.npy')!r})\n"
        "print(tracemalloc.get_traced_memory()[1])"
    )
    assert int(run_python(code).stdout) < 10e6


def test_damaged_files_give_one_sentence(tmp_path):
    """Bytes are changed, cut, added and left out at random; some files survive it."""
    np.save(tmp_path / "a.npy", SCORES)
    np.savez(tmp_path / "b.npz", scores=SCORES, labels=LABELS)
    np.savez_compressed(tmp_path / "c.npz", scores=SCORES, labels=LABELS)
    frame = pd.DataFrame(SCORES, columns=["a", "b", "c", "d"]).assign(label=LABELS)
    frame.to_csv(tmp_path / "d.csv", index=False)
    frame.to_csv(tmp_path / "e.csv.gz", index=False)
    frame.to_parquet(tmp_path / "f.parquet")
    tensors = {"scores": torch.from_numpy(SCORES), "labels": torch.from_numpy(LABELS)}
    torch.save(tensors, tmp_path / "g.pt")
    save_torch_file(tensors, tmp_path / "h.safetensors")
    rng = np.random.default_rng(0)
    messages = []
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        for _ in range(250 if IS_NIGHTLY else 60):
            path.write_bytes(damaged(rng, content))
            try:
                read_inputs(path, LABELS if path.suffix == ".npy" else None)
            except EvaluationError as error:
                messages.append(str(error))
    assert [message for message in messages if "\n" in message or not message.endswith(".")] == []
    assert len(messages) > 200


def damaged(rng: np.random.Generator, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        # Headers are at either end.
        reach = len(changed) if rng.random() < 0.4 else min(300, len(changed))
        place = int(rng.integers(reach)) if rng.random() < 0.5 else len(changed) - 1 - int(rng.integers(reach))
        kind = int(rng.integers(4))
        if kind == 0:
            changed[place] = int(rng.integers(256))
        elif kind == 1:
            del changed[max(1, place) :]
        elif kind == 2:
            changed[place:place] = rng.bytes(5)
        elif len(changed) > 10:
            del changed[place : place + int(rng.integers(1, 9))]
    return bytes(changed)
