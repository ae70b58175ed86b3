# SPDX-License-Identifier: Apache-2.0
"""A quantized network in packed bits, predicted with numpy and nothing else.

This file imports only numpy, so a copy of it and a saved file are all that a device
needs.
"""

import json

import numpy as np

LARGEST = 1e15  # value of a feature; its square still fits single precision
_LAYOUT = 1  # of the file


class PackedQuantizedNetwork:
    """Predictor of a `qestim.QuantizedQNNClassifier` in a few kilobytes.

    Made by ``classifier.to_packed()`` or `load`.

    Parameters
    ----------
    n_features : int
        Number of features.
    planes : list of ndarray, dtype uint8
        For each layer the bits of its weights: `numpy.packbits` of the spins' signs in
        the order (member, input, output, bit).
    scales : list of ndarray of shape (n_members,), dtype float32
        Scale of each layer.
    biases : list of ndarray of shape (n_members, n_outputs), dtype float32
        Biases of each layer.
    bits : ndarray of shape (n_bits,), dtype float32
        What a spin of each bit contributes to a weight.
    activation : {"relu", "hardtanh", "sign"}
        Activation of the hidden layers.
    classes : ndarray of shape (n_classes,)
        Labels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qestim import QuantizedQNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = QuantizedQNNClassifier((8,), max_iter=2, random_state=0).fit(X, y)
    >>> packed = model.to_packed()
    >>> bool((packed.predict(X) == model.predict(X)).all()), packed.n_bytes
    (True, 59)
    """

    def __init__(self, n_features, planes, scales, biases, bits, activation, classes):
        self.n_features = n_features
        self.planes, self.scales, self.biases = planes, scales, biases
        self.bits, self.activation, self.classes = bits, activation, classes
        width, self._weights = n_features, []
        for plane, bias in zip(planes, biases, strict=True):
            shape = (*bias.shape, len(bits))
            count = width * int(np.prod(shape))
            spins = 2.0 * np.unpackbits(plane, count=count) - 1
            spins = spins.reshape(len(bias), width, *shape[1:])
            self._weights.append((spins @ bits).astype(np.float32))
            width = bias.shape[1]

    @property
    def n_bytes(self):
        """Bytes of weights, scales and biases."""
        return sum(a.nbytes for a in (*self.planes, *self.scales, *self.biases))

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            Mean over the members.

        Raises
        ------
        ValueError
            If X has another width, or values that are NaN, infinite or too large.
        """
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(
                f"X must have shape (n_samples, {self.n_features}). Got {X.shape}."
            )
        bad = X[~(np.abs(X) <= LARGEST)]
        if bad.size:
            raise ValueError(
                f"X must hold finite values of at most {LARGEST:g}. Got {bad[0]:g}."
            )
        total = 0.0
        for member in range(len(self.scales[0])):
            a = X.astype(np.float32)
            for layer, weights in enumerate(self._weights):
                a = self.scales[layer][member] * (a @ weights[member])
                a += self.biases[layer][member]
                if layer + 1 < len(self._weights):
                    a = self._activate(a)
            a = np.exp(a - a.max(axis=1, keepdims=True))
            total = total + a / a.sum(axis=1, keepdims=True)
        return total / len(self.scales[0])

    def predict(self, X):
        """Return the most probable classes, of shape (n_samples,)."""
        return self.classes[self.predict_proba(X).argmax(axis=1)]

    def _activate(self, z):
        if self.activation == "relu":
            return np.maximum(z, 0)
        if self.activation == "hardtanh":
            return np.clip(z, -1, 1)
        return np.where(z < 0, np.float32(-1), np.float32(1))

    def save(self, path):
        """Write the predictor to an ``.npz`` file, without pickle.

        Parameters
        ----------
        path : str or path
            File to write.

        Raises
        ------
        ValueError
            If the labels are Python objects other than strings.
        """
        classes = self.classes
        if classes.dtype == object:
            if not all(isinstance(label, str) for label in classes):
                raise ValueError(
                    "The labels are Python objects, which only pickle could save. "
                    "Train with labels that are integers or strings."
                )
            classes = classes.astype(str)
        head = {
            "layout": _LAYOUT,
            "activation": self.activation,
            "layers": len(self.planes),
            "n_features": self.n_features,
        }
        arrays = {"head": np.array(json.dumps(head)), "classes": classes}
        arrays["bits"] = self.bits
        for name in ("planes", "scales", "biases"):
            for layer, array in enumerate(getattr(self, name)):
                arrays[f"{name}{layer}"] = array
        with open(path, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path):
        """Read a file that `save` wrote.

        Parameters
        ----------
        path : str or path
            File to read.

        Returns
        -------
        packed : PackedQuantizedNetwork
            The predictor.

        Raises
        ------
        ValueError
            If the file has another layout.
        """
        with np.load(path, allow_pickle=False) as file:
            head = json.loads(str(file["head"]))
            if head["layout"] != _LAYOUT:
                raise ValueError(
                    f"{path} has layout {head['layout']}; this version reads "
                    f"{_LAYOUT}. Save it again with the qestim that wrote it."
                )
            planes, scales, biases = (
                [file[f"{name}{layer}"] for layer in range(head["layers"])]
                for name in ("planes", "scales", "biases")
            )
            return cls(
                head["n_features"],
                planes,
                scales,
                biases,
                file["bits"],
                head["activation"],
                file["classes"],
            )
