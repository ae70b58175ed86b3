# SPDX-License-Identifier: Apache-2.0
"""A fitted quantized network as a torch module or as packed bits."""

import numpy as np
import torch

from qestim.estimators._quantized_packed import PackedQuantizedNetwork


class Sign(torch.nn.Module):
    """-1 below zero, else 1."""

    def forward(self, z):
        """Return the signs of a tensor, of its shape and dtype."""
        return torch.where(z < 0, -1.0, 1.0).to(z)


class MeanOfMembers(torch.nn.Module):
    """Logarithm of the mean of the probabilities of several networks."""

    def __init__(self, members):
        super().__init__()
        self.members = torch.nn.ModuleList(members)

    def forward(self, X):
        """Return logits of shape (n, n_classes) for rows of shape (n, n_features)."""
        logs = [torch.log_softmax(member(X), dim=1) for member in self.members]
        return torch.logsumexp(torch.stack(logs), dim=0) - np.log(len(logs))


_MODULES = {"relu": torch.nn.ReLU, "hardtanh": torch.nn.Hardtanh, "sign": Sign}


def to_torch(networks):
    """Return a module of single precision that gives the logits.

    Parameters
    ----------
    networks : list of QuantizedNetwork
        Members whose probabilities are averaged.

    Returns
    -------
    module : torch.nn.Module
        ``Linear`` layers whose weights are scale times integer.
    """
    members = []
    for network in networks:
        layers: list = []
        for weights, scale, bias in zip(
            network.weights, network.scales, network.biases, strict=True
        ):
            linear = torch.nn.utils.skip_init(torch.nn.Linear, *weights.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.as_tensor(scale * weights.T))
                linear.bias.copy_(torch.as_tensor(bias))
            layers += [linear, _MODULES[network.activation]()]
        members.append(torch.nn.Sequential(*layers[:-1]))
    return members[0] if len(members) == 1 else MeanOfMembers(members)


def to_packed(networks, classes):
    """Return a predictor that needs numpy alone.

    Parameters
    ----------
    networks : list of QuantizedNetwork
        Members whose probabilities are averaged.
    classes : ndarray of shape (n_classes,)
        Labels.

    Returns
    -------
    packed : PackedQuantizedNetwork
        One bit for each spin of a weight.
    """
    depth = range(len(networks[0].weights))

    def each(name):
        return [
            np.array([getattr(net, name)[k] for net in networks], dtype=np.float32)
            for k in depth
        ]

    planes = [
        np.packbits(np.stack([net.spins[k] for net in networks]) > 0) for k in depth
    ]
    return PackedQuantizedNetwork(
        len(networks[0].weights[0]),
        planes,
        each("scales"),
        each("biases"),
        networks[0].bits,
        networks[0].activation,
        classes,
    )
