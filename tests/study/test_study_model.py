"""The model at the end of a study: the advised mapping on all rows, saved without pickle, loaded in three lines."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lastlayer import MAPPINGS, probabilities
from lastlayer.study import StudyError, StudyResults, load_model, run_study

SMALL = {"mappings": "sparsemax", "folds": 2, "repeats": 1, "jobs": 1}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers, some missing, text, dates, booleans and many words."""
    generator = np.random.default_rng(0)
    n = 240
    level = generator.normal(size=n)
    frame = pd.DataFrame(
        {
            "size": level + generator.normal(size=n),
            "colour": generator.choice(["red", "green", "blue"], n),
            "words": [f"word{i % 61} more{i % 7}" for i in range(n)],
            "seen": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
            "is_new": generator.random(n) < 0.5,
            "kind": np.where(level > 0.5, "big", np.where(level > -0.5, "middle", "small")),
        }
    )
    frame.loc[::11, "size"] = np.nan
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def results(table: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return run_study(table, "kind", out=tmp_path_factory.mktemp("out"), **SMALL)


#: The three lines, and one that shows what they give.
SCRIPT = """
import pandas as pd
from lastlayer.study import load_model
p = load_model(MODEL).predict_proba(pd.read_csv(TABLE))
import json; print(json.dumps([[x.hex() for x in row] for row in p.tolist()]))
"""


def test_three_lines_in_a_fresh_process_give_the_same_bits(results: StudyResults, table: Path) -> None:
    assert results.folder is not None
    script = f"MODEL, TABLE = {str(results.folder / 'model.skops')!r}, {str(table)!r}\n{SCRIPT}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    loaded = np.array([[float.fromhex(x) for x in row] for row in json.loads(done.stdout)])
    in_memory = results.best_estimator_.predict_proba(pd.read_csv(table))
    np.testing.assert_array_equal(loaded, in_memory)
    assert loaded.shape == (240, 3)
    np.testing.assert_allclose(loaded.sum(axis=1), 1.0, rtol=1e-12)


def test_the_model_is_the_advised_one_with_the_study_s_features(results: StudyResults, table: Path) -> None:
    model = results.best_estimator_
    assert model["classifier"].mapping == results.decision.mapping
    assert results.decision.facts["C"] == model["classifier"].C
    assert model["classifier"].C in results.settings.grid
    assert list(model.classes_) == ["big", "middle", "small"]
    frame = pd.read_csv(table)
    assert (model.predict(frame) == frame["kind"]).mean() > 0.5
    # Every column became what the report says, and together they are what the classifier takes.
    assert results.columns["encoded"].sum() == model["classifier"].n_features_in_
    assert (results.columns["encoded"] > 0).all()
    read = StudyResults.read_parquet(results.folder / "results.parquet")  # type: ignore[operator]
    np.testing.assert_array_equal(read.best_estimator_.predict_proba(frame), model.predict_proba(frame))


def test_labels_of_an_array_come_back_as_they_were(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    results = run_study(X, y * 10, C=1.0, out=tmp_path, **SMALL)
    predicted = results.best_estimator_.predict(X)
    assert predicted.dtype == y.dtype
    assert set(predicted) == {0, 10, 20}
    assert np.mean(predicted == y * 10) > 0.9


@pytest.mark.parametrize("values", [(0.5, 1.5, 2.5), ("2024-01-01", "2024-02-01", "2024-03-01")])
def test_classes_that_are_no_labels_to_scikit_learn_are_texts(values: tuple[object, ...], tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    classes = np.array(values) if isinstance(values[0], float) else np.array(values, dtype="datetime64[D]")
    results = run_study(pd.DataFrame(X), classes[y], C=1.0, out=tmp_path, **SMALL)
    model = results.best_estimator_
    assert set(model.classes_) == set(results.class_names)
    assert np.mean(model.predict(pd.DataFrame(X)) == np.array(results.class_names)[y]) > 0.9


def test_a_mapping_of_one_s_own_is_not_saved_and_said(tmp_path: Path) -> None:
    sharper = replace(MAPPINGS["softmax"], name="sharper", summary="softmax by another name")
    results = run_study("iris", mappings=sharper, folds=2, repeats=1, C=1.0, jobs=1, out=tmp_path)
    # softmax is advised, which has a name.
    assert (results.folder / "model.skops").is_file()  # type: ignore[operator]
    assert "model_not_saved" not in {finding.code for finding in results.findings}
    from lastlayer.study.data.datasets import load_dataset
    from lastlayer.study.fit.final import fit_final, save_model

    model, _ = fit_final(load_dataset("iris"), sharper, results.settings)
    assert not save_model(model, tmp_path / "model.skops")
    assert not (tmp_path / "model.skops").exists()


def hostile() -> bytes:
    """A model that calls a function of the operating system's."""
    import os

    pipeline = make_pipeline(FunctionTransformer(os.getcwd), LogisticRegression())
    return bytes(skops.io.dumps(pipeline))


def calling() -> bytes:
    """A model that calls a function of ours while it is loaded."""
    from lastlayer.files import replace_text

    return renamed_to(skops.io.dumps(LogisticRegression()), replace_text.__module__, replace_text.__name__)


def renamed_to(content: bytes, module: str, name: str) -> bytes:
    """The same with another type in the place of the classifier."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.namelist():
            text = old.read(entry)
            if entry == "schema.json":
                schema = json.loads(text)
                schema["__module__"], schema["__class__"] = module, name
                text = json.dumps(schema).encode()
            new.writestr(entry, text)
    return file.getvalue()


def renamed_type(content: bytes) -> bytes:
    """The same with a type that does not exist."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"LogisticRegression"', b'"NoSuchModel"'))
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (calling, r"names types that no study writes \(lastlayer.files.replace_text\), so it is not loaded"),
        (hostile, r"names types that no study writes \(.*getcwd.*\), so it is not loaded"),
        (lambda: renamed_type(skops.io.dumps(LogisticRegression())), "names types that no study|holds no model"),
        (lambda: b"", "holds no model of a study"),
        (lambda: b"PK\x03\x04 no archive", "holds no model of a study"),
        (lambda: __import__("pickle").dumps(LogisticRegression()), "holds no model of a study"),
    ],
)
def test_a_file_that_is_no_study_s_model_is_refused(make: object, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(make())  # type: ignore[operator]
    with pytest.raises(StudyError, match=sentence):
        load_model(path)
    with pytest.raises(StudyError, match="cannot be read"):
        load_model(tmp_path / "nothing.skops")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore::UserWarning")
@pytest.mark.parametrize("mapping", ["softmax", "ratio", "sparsemax", "entmax", "taylor", "stablemax", "hardmax"])
def test_numbers_make_an_onnx_graph(mapping: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
    pytest.importorskip("torch", reason="pip install torch")
    from lastlayer.study.data.datasets import load_dataset
    from lastlayer.study.fit.final import fit_final
    from lastlayer.study.onnx import to_onnx
    from lastlayer.study.settings import check_settings

    X, y = load_iris(return_X_y=True)
    X[::7, 1] = np.nan
    data = load_dataset(X, y)
    model, _ = fit_final(data, MAPPINGS[mapping], check_settings(mappings=(mapping,), C=0.1))
    path = to_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (p,) = session.run(None, {"features": X})
    scores = model[:-1].transform(X) @ model["classifier"].coef_.T + model["classifier"].intercept_
    np.testing.assert_allclose(p, probabilities(scores, mapping=mapping, on_domain="nan"), rtol=1e-9, atol=1e-12)


def test_text_makes_no_onnx_graph(results: StudyResults, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="pip install torch")
    from lastlayer.study.onnx import to_onnx

    with pytest.raises(StudyError, match="does not take numbers alone"):
        to_onnx(results.best_estimator_, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
