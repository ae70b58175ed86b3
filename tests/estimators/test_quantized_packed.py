# SPDX-License-Identifier: Apache-2.0
import importlib.util
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

import qestim.estimators
from qestim import QuantizedQNNClassifier

SOURCE = pathlib.Path(qestim.estimators.__file__).parent / "_quantized_packed.py"


def fitted(**changes):
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    parameters = {"hidden_layer_sizes": (7,), "max_iter": 2, "random_state": 0}
    return QuantizedQNNClassifier(**{**parameters, **changes}).fit(X, labels), X


CASES = [
    {},
    {"activation": "sign"},
    {"activation": "hardtanh", "weight_bits": 2},
    {"weight_bits": "ternary", "hidden_layer_sizes": (5, 3)},
    {"n_estimators": 3},
    {"hidden_layer_sizes": (1,)},
]


@pytest.mark.parametrize("changes", CASES)
def test_packed_bits_predict_the_same(changes, tmp_path):
    model, X = fitted(**changes)
    packed = model.to_packed()
    packed.save(tmp_path / "model.npz")
    again = type(packed).load(tmp_path / "model.npz")
    for predictor in (packed, again):
        np.testing.assert_allclose(
            predictor.predict_proba(X), model.predict_proba(X), atol=1e-5
        )
        low, high = np.sort(model.predict_proba(X), axis=1)[:, -2:].T
        clear = high > low + 1e-4  # single precision may decide a tie otherwise
        said = predictor.predict(X)[clear]
        np.testing.assert_array_equal(said, model.predict(X)[clear])


@pytest.mark.parametrize("changes", CASES)
def test_torch_module_predicts_the_same(changes):
    model, X = fitted(**changes)
    with torch.no_grad():
        logits = model.to_torch()(torch.as_tensor(X, dtype=torch.float32))
    np.testing.assert_allclose(
        torch.softmax(logits, dim=1).numpy(), model.predict_proba(X), atol=1e-5
    )
    if changes.get("n_estimators"):  # logarithms of the mean of probabilities
        np.testing.assert_allclose(logits.exp().sum(1), 1, rtol=1e-5)


def test_labels_of_a_table_are_saved(tmp_path):
    model, X = fitted()
    packed = model.to_packed()
    packed.classes = packed.classes.astype(object)  # what pandas makes of strings
    packed.save(tmp_path / "model.npz")
    said = type(packed).load(tmp_path / "model.npz").predict(X)
    assert said.tolist() == model.predict(X).tolist()


def test_size_is_a_bit_a_weight():
    packed = fitted()[0].to_packed()
    assert packed.n_bytes == 4 + 3 + 4 * (1 + 7 + 1 + 3)  # 28 and 21 bits, padded


def test_the_file_alone_predicts_with_numpy_alone(tmp_path):
    model, X = fitted()
    model.to_packed().save(tmp_path / "model.npz")
    np.save(tmp_path / "X.npy", X)
    code = f"""
import sys
for name in ("torch", "sklearn", "scipy", "dimod", "qestim"):
    sys.modules[name] = None
import importlib.util
import numpy as np
spec = importlib.util.spec_from_file_location("packed", {str(SOURCE)!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
packed = module.PackedQuantizedNetwork.load({str(tmp_path / "model.npz")!r})
print(" ".join(packed.predict(np.load({str(tmp_path / "X.npy")!r}))))
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == model.predict(X).tolist()


def test_bad_files_and_rows_are_named(tmp_path):
    model, X = fitted()
    packed = model.to_packed()
    with pytest.raises(ValueError, match=r"\(n_samples, 4\). Got \(150, 3\)"):
        packed.predict(X[:, :3])
    spec = importlib.util.spec_from_file_location("packed", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module._LAYOUT = 2
    packed.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="layout 1"):
        module.PackedQuantizedNetwork.load(tmp_path / "model.npz")
    for value in (np.nan, np.inf, 1e39):
        with pytest.raises(ValueError, match=re.escape(f"1e+15. Got {value:g}")):
            packed.predict(np.full((1, 4), value))
    packed.classes = np.array([0, "one", 2], dtype=object)
    with pytest.raises(ValueError, match="labels are Python objects"):
        packed.save(tmp_path / "other.npz")
