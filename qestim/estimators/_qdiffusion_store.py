# SPDX-License-Identifier: Apache-2.0
"""A fitted generator in two files: weights as safetensors, the rest as JSON."""

import json
import pathlib
from numbers import Integral

import networkx as nx
import numpy as np
import safetensors.torch
import torch

import qestim
from qestim.estimators._qdiffusion_networks import report_of
from qestim.estimators._token_sequences import TokenSequences

_FORMAT = 1
_WEIGHTS, _FACTS = "weights.safetensors", "model.json"
_CURVES = (
    "loss_curve_",
    "validation_scores_",
    "guide_loss_curve_",
    "guide_validation_scores_",
)


def write_model(model, folder):
    """Write a fitted generator into a folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parameters = model.get_params(deep=False)
    sampler = parameters.pop("sampler")
    guide = parameters["guide"]
    if guide is not None and not isinstance(guide, str):
        edges = guide.edges if isinstance(guide, nx.Graph) else guide
        parameters["guide"] = [[int(i), int(j)] for i, j in edges]
    seed = parameters["random_state"]
    parameters["random_state"] = int(seed) if isinstance(seed, Integral) else None
    facts = {
        "format": _FORMAT,
        "qestim": qestim.__version__,
        "parameters": parameters,
        "sampler": None if sampler is None else type(sampler).__name__,
        "characters": model.characters_,
        "n_tokens": model.n_tokens_,
        "lengths": model.lengths_.tolist(),
        "score_seed": model._score_seed,
        **{name: getattr(model, name) for name in _CURVES},
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=1, default=_plain) + "\n")
    safetensors.torch.save_file(_tensors(model), folder / _WEIGHTS)


def read_model(cls, folder, sampler):
    """Return the generator in a folder, as of class ``cls``."""
    folder = pathlib.Path(folder)
    for name in (_FACTS, _WEIGHTS):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} has no {name}; it holds no saved generator.")
    try:
        facts = json.loads((folder / _FACTS).read_text())
        weights = safetensors.torch.load_file(folder / _WEIGHTS)
    except (json.JSONDecodeError, safetensors.SafetensorError) as error:
        raise ValueError(
            f"{folder} holds a damaged file: {error}. Save the generator again."
        ) from error
    if facts.get("format") != _FORMAT:
        raise ValueError(
            f"{folder / _FACTS} has format {facts.get('format')!r}; this version of "
            f"qestim reads {_FORMAT}."
        )
    if facts["sampler"] is not None and sampler is None:
        raise ValueError(
            f"The generator was fitted with a {facts['sampler']}; give a sampler: "
            f"{cls.__name__}.load(folder, sampler=...)."
        )
    characters, n_tokens = facts["characters"], facts["n_tokens"]
    rows = len(weights.get("denoiser.token.weight", ())) - 2
    if rows != n_tokens or (characters is not None and len(characters) != n_tokens):
        known = "" if characters is None else f", its characters are {len(characters)}"
        raise ValueError(
            f"The vocabulary does not match: {_WEIGHTS} is of {rows} tokens, {_FACTS} "
            f"says {n_tokens}{known}. The files are not of one model."
        )
    model = cls(sampler=sampler, **_tuples(facts["parameters"]))
    model._take(TokenSequences(characters, n_tokens), facts["lengths"])
    model._score_seed = facts["score_seed"]
    model._build(torch.Generator())
    for name, module in _modules(model).items():
        own = {
            key.removeprefix(f"{name}."): value
            for key, value in weights.items()
            if key.startswith(f"{name}.")
        }
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            raise ValueError(
                f"The weights of the {name} do not fit the parameters in {_FACTS}; "
                f"the files are not of one model. {error}"
            ) from error
        module.requires_grad_(False).eval()
    for name in _CURVES:
        setattr(model, name, facts[name])
    model.n_iter_ = len(model.loss_curve_)
    model.sampler_report_ = report_of(model.guide_)
    return model


def _modules(model):
    modules = {"denoiser": model.denoiser_}
    if model.guide_ is not None:
        modules["guide"] = model.guide_
    return modules


def _tensors(model):
    return {
        f"{name}.{key}": value.contiguous()
        for name, module in _modules(model).items()
        for key, value in module.state_dict().items()
    }


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be written as JSON.")


def _tuples(parameters):
    return {**parameters, "guide_window": tuple(parameters["guide_window"])}
