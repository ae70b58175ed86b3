# SPDX-License-Identifier: Apache-2.0
"""What given reads are: how cold, how far from a Boltzmann law, how independent."""

import html
import math
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from qestim._reads import read_spins
from qestim._success import energy_tolerance
from qestim.qubo import IsingArrays
from qestim.qubo import _pseudolikelihood as pseudo
from qestim.testing import (
    ExactLaw,
    correlation_time,
    divergence,
    pooled_chi_square,
)

ENUMERABLE = 20
DOUBT = 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What `diagnose` found; printing it shows the table.

    Attributes
    ----------
    num_reads, num_variables : int
        Shape of the reads.
    beta_eff : float
        Inverse temperature of the largest pseudo-likelihood, in inverse units of the
        energy. Infinite when every read is a local minimum.
    beta_eff_error : float
        Its standard error; NaN where ``beta_eff`` is not finite.
    calibration_p : float
        p-value of the hypothesis that single spins obey one temperature at small and
        at large energy changes; NaN where it cannot be tested.
    misfit : float
        How far they are from it: divergence of the observed from the expected shares,
        nats a spin.
    calibration : list of tuple (change, spins, observed, expected)
        The shares behind it: mean energy change of a bin, spins in it, share of them
        on the lower side, share expected at ``beta_eff``.
    correlation_time : float
        Reads per independent read, in the order given; NaN where the order was lost.
    ess : float
        Effective number of independent reads.
    num_distinct : int
        Different states among the reads.
    lowest_energy, mean_energy : float
        Of the reads, in the units of the energy.
    reference_energy : float
        The ground energy where it is known, by enumeration or as given; else NaN.
    gap : float
        ``lowest_energy - reference_energy``.
    ground_share : float
        Share of the reads at ``reference_energy``.
    exact : dict
        Comparison with all states at ``beta_eff``, up to 20 variables; else empty.
        Keys: ``p_value`` (pooled chi-square), ``kl``, ``kl_floor``, ``tv``,
        ``tv_floor`` (the floors: what as many independent draws of the law itself
        give), ``energy`` (mean energy of the law).
    beta : float or None
        The law that was to be tested.
    at_beta : dict
        Tests of the law at ``beta``: ``z`` (``beta_eff`` less ``beta`` in standard
        errors), ``calibration_p``, and the keys of ``exact``; else empty.
    verdict : str
        The findings in a sentence or two.
    """

    num_reads: int
    num_variables: int
    beta_eff: float
    beta_eff_error: float
    calibration_p: float
    misfit: float
    calibration: list = field(repr=False)
    correlation_time: float
    ess: float
    num_distinct: int
    lowest_energy: float
    mean_energy: float
    reference_energy: float
    gap: float
    ground_share: float
    exact: dict
    beta: float | None
    at_beta: dict
    verdict: str

    def _rows(self):
        known = not math.isnan(self.reference_energy)
        yield "reads x variables", f"{self.num_reads} x {self.num_variables}"
        yield "different states", f"{self.num_distinct}"
        if math.isnan(self.correlation_time):
            yield "effective reads", "unknown (order of the reads lost)"
        else:
            time = f"correlation time {self.correlation_time:.3g} reads"
            yield "effective reads", f"{self.ess:.0f} ({time})"
        yield (
            "lowest / mean energy",
            f"{self.lowest_energy:.6g} / {self.mean_energy:.6g}",
        )
        if known:
            share = f"{100 * self.ground_share:.3g} % of the reads there"
            yield "gap to ground energy", f"{self.gap:.6g} ({share})"
        yield "beta_eff", f"{self.beta_eff:.4g} +- {self.beta_eff_error:.2g}"
        p, misfit = _p(self.calibration_p), f"misfit {self.misfit:.2g} nats a spin"
        yield "one temperature for all flips", f"{p}; {misfit}"
        if self.exact:
            yield from _exact_rows(self.exact, f"at beta_eff {self.beta_eff:.4g}")
        if self.at_beta:
            z, p = self.at_beta["z"], self.at_beta["calibration_p"]
            line = f"beta_eff is {z:+.2g} s.e. away; flips {_p(p)}"
            yield f"law at beta {self.beta:.4g}", line
            if "p_value" in self.at_beta:
                yield from _exact_rows(self.at_beta, f"at beta {self.beta:.4g}")
        yield "verdict", self.verdict

    def __repr__(self):
        rows = list(self._rows())
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def _repr_html_(self):
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self._rows()
        )
        return f"<table>{cells}</table>"


def _p(p):
    return "not testable" if math.isnan(p) else f"p = {p:.2g}"


def _exact_rows(exact, where):
    yield f"all states, {where}", f"pooled chi-square {_p(exact['p_value'])}"
    kl, tv = exact["kl"], exact["tv"]
    yield (
        "  divergence KL (law's own draws)",
        f"{kl:.3g} ({exact['kl_floor']:.3g}) nats",
    )
    yield "  total variation (law's own draws)", f"{tv:.3g} ({exact['tv_floor']:.3g})"


def diagnose(bqm, spins, beta=None, *, ground_energy=None) -> Diagnosis:
    """Say what reads are: how cold, how far from a Boltzmann law, how independent.

    Parameters
    ----------
    bqm : dimod.BinaryQuadraticModel
        The model that was sampled, SPIN or BINARY.
    spins : dimod.SampleSet, array-like or path
        The reads, anybody's: a sample set; an array of shape (num_reads, n) of -1 and
        1 or of 0 and 1, columns in the order of ``bqm.variables``; a DataFrame with
        the variables as columns; or the path of an ``.npy`` file with such an array,
        or of an ``.npz`` file with it under ``spins`` and optionally the labels of its
        columns under ``variables``. The order of the rows is taken as the order of
        reading.
    beta : float, default=None
        Inverse temperature of a law to test beside, in inverse units of the energy.
    ground_energy : float, default=None
        Lowest energy known, for the gap. None: by enumeration up to 20 variables.

    Returns
    -------
    diagnosis : Diagnosis
        The findings as attributes; its ``repr`` is a table.

    Raises
    ------
    ValueError
        If the reads are empty, of the wrong shape, or hold other values than two.

    Notes
    -----
    ``beta_eff`` maximises the pseudo-likelihood, the product over reads and spins of
    1 / (1 + exp(-beta a)) with a the energy change of flipping that spin: the root of
    the mean of a / (1 + exp(beta a)). Single flips cannot see whether separate valleys
    are read in the right proportion; only the comparison with all states can, and it
    ends at 20 variables. Chi-square counts reads as independent after division by the
    correlation time, which is rough: thin the reads for a sharp test.

    References
    ----------
    .. [1] Besag, "Statistical analysis of non-lattice data", The Statistician 24, 179
       (1975). doi:10.2307/2987782
    .. [2] Bhattacharya and Mukherjee, "Inference in Ising models", Bernoulli 24, 493
       (2018). doi:10.3150/16-BEJ886

    Examples
    --------
    >>> import dimod, numpy as np
    >>> import qestim
    >>> bqm = dimod.BQM.from_ising({"a": 0.5}, {("a", "b"): -1.0})
    >>> reads = [[-1, -1]] * 66 + [[1, 1]] * 24 + [[-1, 1]] * 7 + [[1, -1]] * 3
    >>> reads = np.random.default_rng(0).permutation(reads)
    >>> found = qestim.diagnose(bqm, reads, beta=1.0)
    >>> round(found.beta_eff, 1)
    1.1
    """
    model = IsingArrays.from_bqm(bqm)
    if beta is not None and not (isinstance(beta, Real) and math.isfinite(beta)):
        raise ValueError(f"beta must be a finite number. Got {beta!r}.")
    reads, ordered = read_spins(spins, list(model.variables))
    energies = model.energies(reads)
    time = correlation_time(reads, energies) if ordered else float("nan")
    factor = time if ordered else 1.0
    if len(model):
        change = pseudo.flip_energies(model, reads)
    else:
        change = np.zeros((len(reads), 1))
    beta_eff = pseudo.maximum(change)
    error = calibration_p = float("nan")
    misfit, bins, law, exact = 0.0, [], None, {}
    if math.isfinite(beta_eff):
        error = pseudo.standard_error(change, beta_eff, factor)
        calibration_p, misfit, bins = pseudo.calibration(
            change, beta_eff, factor, estimated=True
        )
    if len(model) <= ENUMERABLE:
        law = ExactLaw(model)
        if ground_energy is None:
            ground_energy = float(law.energies.min())
        if math.isfinite(beta_eff):
            exact = _compare_states(law, reads, beta_eff, factor, 1)
    at_beta = {}
    if beta is not None:
        z = (beta_eff - beta) / error if math.isfinite(beta_eff) else beta_eff
        p = pseudo.calibration(change, beta, factor, estimated=False)[0]
        at_beta = {"z": z, "calibration_p": p}
        if law is not None:
            at_beta |= _compare_states(law, reads, beta, factor, 0)
    reference = float("nan") if ground_energy is None else float(ground_energy)
    tolerance = 0.0 if ground_energy is None else energy_tolerance(model, reference)
    gap = float(energies.min()) - reference
    facts = {
        "num_reads": len(reads),
        "num_variables": len(model),
        "beta_eff": beta_eff,
        "beta_eff_error": error,
        "calibration_p": calibration_p,
        "misfit": misfit,
        "calibration": bins,
        "correlation_time": time,
        "ess": len(reads) / time,
        "num_distinct": len(np.unique(np.packbits(reads > 0, axis=1), axis=0)),
        "lowest_energy": float(energies.min()),
        "mean_energy": float(energies.mean()),
        "reference_energy": reference,
        "gap": 0.0 if abs(gap) <= tolerance else gap,
        "ground_share": float(np.mean(energies <= reference + tolerance)),
        "exact": exact,
        "beta": beta,
        "at_beta": at_beta,
    }
    return Diagnosis(**facts, verdict=_verdict(facts))


def _compare_states(law, reads, beta, factor, estimated):
    p = law.probabilities(beta)
    counts = np.bincount(law.codes(reads), minlength=len(p))
    p_value, _, _ = pooled_chi_square(
        counts, p, estimated=estimated, correlation_time=factor
    )
    kl, tv = divergence(counts, p)
    # The floors come from the law's own draws: cells without reads spoil formulas.
    rng = np.random.default_rng(0)
    draws = max(1, round(len(reads) / factor))
    cumulative = np.cumsum(p)
    floors = []
    for _ in range(20):
        codes = np.searchsorted(cumulative, rng.random(draws) * cumulative[-1], "right")
        floors.append(divergence(np.bincount(codes, minlength=len(p)), p))
    kl_floor, tv_floor = np.mean(floors, axis=0)
    return {
        "p_value": p_value,
        "kl": kl,
        "kl_floor": float(kl_floor),
        "tv": tv,
        "tv_floor": float(tv_floor),
        "energy": float(p @ law.energies),
    }


def _verdict(facts):
    if math.isnan(facts["beta_eff"]):
        return "No flip changes the energy: the reads have no temperature."
    text, at_beta = _about_the_reads(facts), facts["at_beta"]
    if at_beta:
        wrong = [4 < abs(at_beta["z"]) < math.inf, at_beta["calibration_p"] < DOUBT]
        wrong.append(at_beta.get("p_value", 1.0) < DOUBT)
        answer = "is rejected" if any(wrong) else "is not rejected"
        text += f" The law at beta = {facts['beta']:.4g} {answer}."
    return text


def _about_the_reads(facts):
    beta_eff, exact = facts["beta_eff"], facts["exact"]
    untested = math.isnan(facts["calibration_p"])
    if math.isinf(beta_eff):
        kind = "minimum" if beta_eff > 0 else "maximum"
        text = f"Every read is a local {kind} of the energy, so no finite temperature "
        text += "fits: beta_eff is infinite."
        if facts["ground_share"] == 1:
            text += " All reads are ground states."
        return text
    if untested and (not exact or math.isnan(exact["p_value"])):
        reads = f"{facts['num_reads']} reads"
        return f"{reads} test no law here: too few, or flips of one size only."
    if facts["calibration_p"] < DOUBT:
        text = "No single temperature fits the reads: "
        return text + f"their flips disagree ({_p(facts['calibration_p'])})."
    if exact and exact["p_value"] < DOUBT:
        text = "The reads do not follow the Boltzmann law at beta_eff "
        return text + f"({_p(exact['p_value'])}): valleys have the wrong weights."
    if exact:
        return "Nothing here tells the reads from the Boltzmann law at beta_eff."
    text = "Single flips agree with one temperature; whether separate valleys have "
    return text + "the right weights cannot be seen at this size."
