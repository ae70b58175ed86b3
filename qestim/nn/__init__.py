# SPDX-License-Identifier: Apache-2.0
"""Torch modules: Boltzmann machines and what they are part of."""

from qestim.nn._boltzmann import BoltzmannMachine
from qestim.nn._bound import bound_parts, evidence_bound
from qestim.nn._candidate_features import CandidateFeatures
from qestim.nn._candidates import CandidateGuide, draw_candidates, log_likelihood
from qestim.nn._code import NormalCode, SpinCode, spin_entropy
from qestim.nn._control_priors import BernoulliMixture, StandardNormal
from qestim.nn._decoding import decode
from qestim.nn._denoiser import TransformerDenoiser
from qestim.nn._diffusion import AbsorbingDiffusion
from qestim.nn._energy_guide import EnergyGuide
from qestim.nn._gaussian import GaussianBoltzmannMachine
from qestim.nn._likelihood import LIKELIHOODS
from qestim.nn._partition import LogPartition
from qestim.nn._qama import QAMA
from qestim.nn._relaxation import (
    mean_spins,
    mixed_spins,
    overlap_spins,
    spike_exp_spins,
    straight_through_spins,
)
from qestim.nn._restoration import conditional_mean
from qestim.nn._temperature import effective_beta
from qestim.nn._vae import SpinVAE

__all__ = [
    "LIKELIHOODS",
    "QAMA",
    "AbsorbingDiffusion",
    "BernoulliMixture",
    "BoltzmannMachine",
    "CandidateFeatures",
    "CandidateGuide",
    "EnergyGuide",
    "GaussianBoltzmannMachine",
    "LogPartition",
    "NormalCode",
    "SpinCode",
    "SpinVAE",
    "StandardNormal",
    "TransformerDenoiser",
    "bound_parts",
    "conditional_mean",
    "decode",
    "draw_candidates",
    "effective_beta",
    "evidence_bound",
    "log_likelihood",
    "mean_spins",
    "mixed_spins",
    "overlap_spins",
    "spike_exp_spins",
    "spin_entropy",
    "straight_through_spins",
]
