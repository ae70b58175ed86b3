# SPDX-License-Identifier: Apache-2.0
"""A fitted model as one safetensors file: tensors, and JSON in its header."""

import json

import networkx as nx
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

import qestim
from qestim import samplers
from qestim.estimators._batches import Batches
from qestim.estimators._prior import BoltzmannPrior
from qestim.estimators._rows import Scaling

_FORMAT = 1
_PLAIN = (
    "n_features_in_",
    "n_iter_",
    "loss_curve_",
    "validation_scores_",
    "log_partition_",
    "log_partition_bounds_",
    "log_partition_ess_",
    "diagnostics_",
    "sampler_report_",
    "_n_steps",
    "_score_seed",
    "_n_features_out",
)


def save_model(model, path):
    """Write a fitted model; see `QBMVAETransformer.save`."""
    scaling, batches = model.scaling_, model.batches_
    tensors = {f"vae.{k}": v for k, v in model.vae_.state_dict().items()}
    tensors |= {f"prior.{k}": v for k, v in model.prior_.state_dict().items()}
    tensors["scaling.mean"] = torch.as_tensor(scaling.mean)
    if scaling.shares is not None:
        tensors["scaling.shares"] = torch.as_tensor(scaling.shares)
        tensors["sizes"] = torch.as_tensor(model.sizes_)
    content = {
        "format": _FORMAT,
        "qestim": qestim.__version__,
        "class": type(model).__name__,
        "params": {k: _plain(v, k) for k, v in model.get_params(deep=False).items()},
        "fitted": {name: getattr(model, name) for name in _PLAIN},
        "names": [str(name) for name in getattr(model, "feature_names_in_", [])],
        "used_sampler": model.sampler_ is not None,
        "scaling": [scaling.scale, scaling.size],
        "batches": None
        if batches is None
        else [batches.combinations.tolist(), batches.counts.tolist()],
    }
    tensors = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    save_file(tensors, path, metadata={"qestim": json.dumps(content)})


def load_model(cls, path):
    """Read a fitted model; see `QBMVAETransformer.load`."""
    try:
        with safe_open(path, framework="pt") as file:
            content = json.loads((file.metadata() or {}).get("qestim", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError:
        content = {}
    if content.get("format") != _FORMAT or content.get("class") != cls.__name__:
        raise ValueError(
            f"{path} is not a {cls.__name__} of format {_FORMAT}. Got the class "
            f"{content.get('class')!r} of format {content.get('format')!r}; write it "
            "with save."
        )
    model = cls(**{k: _object(v) for k, v in content["params"].items()})
    for name, value in content["fitted"].items():
        setattr(model, name, value)
    model.log_partition_bounds_ = tuple(model.log_partition_bounds_)
    if content["names"]:
        model.feature_names_in_ = np.asarray(content["names"], dtype=object)
    model.scaling_ = Scaling(model.likelihood)
    model.scaling_.mean = tensors.pop("scaling.mean").numpy()
    model.scaling_.scale, model.scaling_.size = content["scaling"]
    model.sizes_ = model.batches_ = None
    if "sizes" in tensors:
        model.scaling_.shares = tensors.pop("scaling.shares").numpy()
        model.sizes_ = tensors.pop("sizes").numpy()
    if content["batches"] is not None:
        combinations, counts = content["batches"]
        model.batches_ = Batches()
        model.batches_.learn(np.asarray(combinations))
        model.batches_.counts = np.asarray(counts)
    model.sampler_ = model.sampler if content["used_sampler"] else None
    model._build(torch.Generator())
    for prefix, module in (("vae.", model.vae_), ("prior.", model.prior_)):
        module.double().requires_grad_(False).eval()
        module.load_state_dict(
            {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        )
    return model


def _plain(value, name):
    """Return a parameter as JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v, name) for v in value]
    if isinstance(value, nx.Graph):
        return [[int(i), int(j)] for i, j in value.edges]
    known = isinstance(value, BoltzmannPrior) or (
        type(value).__name__ in samplers.__all__
        and type(value) is getattr(samplers, type(value).__name__)
    )
    if known:
        params = value.get_params(deep=False)
        return {
            "class": type(value).__name__,
            "params": {k: _plain(v, k) for k, v in params.items()},
        }
    raise ValueError(
        f"The parameter {name!r} cannot be written as JSON: {value!r}. save knows "
        "numbers, strings, lists, graphs, BoltzmannPrior and the samplers of "
        "qestim.samplers; set another value first (set_params(sampler=None) keeps the "
        "fitted model), or use pickle."
    )


def _object(value):
    """Return a parameter from JSON; classes come from a list of known names."""
    if not isinstance(value, dict):
        return value
    params = {k: _object(v) for k, v in value["params"].items()}
    if value["class"] == "BoltzmannPrior":
        return BoltzmannPrior(**params)
    if value["class"] not in samplers.__all__:
        raise ValueError(f"{value['class']!r} is not a class that load knows.")
    return getattr(samplers, value["class"])(**params)
