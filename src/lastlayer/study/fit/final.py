"""The advised model: fitted on all rows, saved without pickle, and loaded again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from lastlayer.files import expanded, replace_file
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.choice import portable
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.error import StudyError
from lastlayer.study.fit.features import encoder
from lastlayer.study.fit.model import linear_model
from lastlayer.study.fit.splits import inner_folds
from lastlayer.study.fit.strength import choose_strength
from lastlayer.study.fit.table_reader import table_reader
from lastlayer.study.settings import StudySettings
from lastlayer.study.workers import quiet

#: What a study puts into a pipeline, apart from scikit-learn's and NumPy's own types. Exact names: a file could otherwise name
#: any function of these packages, or one that they import, to be called while it is loaded.
_TRUSTED = frozenset(
    {
        "lastlayer.sklearn.classifier.LastLayerClassifier",
        "lastlayer.study.fit.scales.Limiter",
        "lastlayer.study.fit.scales.PowerOfTwoScaler",
        "lastlayer.study.fit.splines.SplineColumns",
        "lastlayer.study.fit.table_reader.TableReader",
        "numpy.dtype",
        "numpy.random.mtrand.RandomState",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
        "skrub._apply_to_each_col.ApplyToEachCol",
        "skrub._check_input.CheckInputDataFrame",
        "skrub._clean_categories.CleanCategories",
        "skrub._clean_null_strings.CleanNullStrings",
        "skrub._dataframe._common.is_any_date",
        "skrub._dataframe._common.is_categorical",
        "skrub._dataframe._common.is_numeric",
        "skrub._datetime_encoder.DatetimeEncoder",
        "skrub._drop_uninformative.DropUninformative",
        "skrub._duration_to_float.DurationToFloat",
        "skrub._string_encoder.StringEncoder",
        "skrub._table_vectorizer.PassThrough",
        "skrub._table_vectorizer.ShortReprDict",
        "skrub._table_vectorizer.TableVectorizer",
        "skrub._table_vectorizer._created_by_predicate",
        "skrub._to_datetime.ToDatetime",
        "skrub._to_float.ToFloat",
        "skrub._to_str.ToStr",
        "skrub.selectors._base.All",
        "skrub.selectors._base.And",
        "skrub.selectors._base.Cols",
        "skrub.selectors._base.Filter",
        "skrub.selectors._base.Inv",
        "skrub.selectors._base.Or",
        "skrub.selectors._base.Sub",
        "skrub.selectors._selectors._cardinality_below",
    }
)


def fit_final(data: Dataset, mapping: ProbabilityMapping, settings: StudySettings) -> tuple[Pipeline, float]:
    """The model on all rows, with C chosen as in each fold; it takes the table as it came and answers with the classes as they came.

    Raises:
        StudyError: the columns cannot be encoded.
        ValueError: the model cannot be fitted.
    """
    # One thread, as every fit of a study: the same bits on every machine with the same libraries.
    with threadpool_limits(1), quiet():
        steps = encoder(data.features, settings.seed, settings.splines).steps
        encode = Pipeline(steps)
        with np.errstate(over="ignore", invalid="ignore"):
            encoded = encode.fit_transform(data.features)
        C = settings.C
        if C is None:
            inner = inner_folds(data.labels, groups=data.groups, time=data.time, seed=settings.seed)
            C = choose_strength(mapping, encoded, data.labels, inner, settings.grid, settings.seed).C
        classifier = linear_model(mapping, C=C, seed=settings.seed).set_params(mapping=portable(mapping))
        classifier.fit(encoded, _classes(data)[data.labels])
    # The reader learns nothing: its arguments say how the study read each column.
    reader = table_reader(data)
    reader.fit(data.features)
    return Pipeline([("table", reader), *steps, ("classifier", classifier)]), C


def _classes(data: Dataset) -> np.ndarray:
    """The classes as they came, where a classifier takes them for classes: fractions and dates would be quantities."""
    values = np.asarray(data.class_values or data.class_names)
    return values if values.dtype.kind in "biuU" else np.asarray(data.class_names)


def save_model(model: Pipeline, path: Path) -> bool:
    """Write the model, whole or not at all; False where `load_model` would refuse it, since it has somebody's own code.

    Raises:
        OSError: the file cannot be written.
    """
    skops = _skops()
    content = skops.dumps(model)
    if not all(map(_is_trusted, skops.get_untrusted_types(data=content))):
        return False
    replace_file(path, lambda temporary: temporary.write_bytes(content))
    return True


def load_model(path: str | os.PathLike[str]) -> Pipeline:
    """The model in a file that a study wrote: `load_model("model.skops").predict_proba(table)`.

    The file is no pickle: it may name scikit-learn's and NumPy's types, and those that a study puts into a pipeline.

    Raises:
        StudyError: there is no such file, it holds no model, or one with other types.
    """
    path, skops = expanded(path), _skops()
    try:
        types = skops.get_untrusted_types(file=path)
        foreign = [name for name in types if not _is_trusted(name)]
        if foreign:
            raise StudyError(
                f"{path} names types that no study writes ({', '.join(sorted(foreign)[:3])}), so it is not loaded. Load it with skops "
                "and trust them yourself, if you know where it comes from."
            )
        return skops.load(path, trusted=types)
    except OSError as error:
        raise StudyError(
            f"{path} cannot be read ({error.strerror or error}); give a model.skops that a study wrote."
        ) from error
    except StudyError:
        raise
    # The file may hold anything, so reading it may fail in any way.
    except Exception as error:
        raise StudyError(
            f"{path} holds no model of a study. Give the model.skops that a study wrote, or run the study again."
        ) from error


def _skops() -> Any:
    # It imports every array library that is installed, seconds that no worker and no first sentence need wait for.
    import skops.io

    return skops.io


def _is_trusted(name: str) -> bool:
    return name in _TRUSTED
