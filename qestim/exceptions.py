# SPDX-License-Identifier: Apache-2.0
"""Errors and warnings of qestim.

Every error that is qestim's own derives from `QestimError`; bad parameters raise
scikit-learn's ``InvalidParameterError`` or a ``ValueError`` like everywhere else.
"""

__all__ = [
    "HardwareError",
    "HardwareLicenseError",
    "HardwareNetworkError",
    "HardwarePendingError",
    "HardwarePrecisionError",
    "HardwareQuotaError",
    "HardwareResultError",
    "HardwareSizeError",
    "HardwareTimeoutError",
    "InfeasibleWarning",
    "MixingWarning",
    "PrecisionWarning",
    "QestimError",
    "TimeLimitWarning",
]


class QestimError(Exception):
    """Root of the errors that only qestim raises."""


class HardwareError(QestimError, RuntimeError):
    """A machine refused, failed or did not answer.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """

    def __init__(self, message, task_id=None) -> None:
        super().__init__(message)
        self.task_id = task_id

    def __reduce__(self):
        return type(self), (*self.args, self.task_id)


class HardwareLicenseError(HardwareError):
    """The machine's licence or credentials are missing or refused.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class HardwareSizeError(HardwareError):
    """The model has more variables than the machine takes.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class HardwarePrecisionError(HardwareError):
    """The model's coefficients do not fit the machine's integer range.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class HardwareQuotaError(HardwareError):
    """The quota on the machine is used up.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class HardwarePendingError(HardwareError):
    """The task has not finished; ask again later with its task_id.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class HardwareTimeoutError(HardwareError):
    """The machine did not answer within the wall-clock limit.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class HardwareResultError(HardwareError):
    """The machine's answer cannot be read as spins of the submitted model.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class HardwareNetworkError(HardwareError):
    """The machine could not be reached.

    Parameters
    ----------
    message : str
        What was wrong, the limit, the value and the way out.
    task_id : str or None, default=None
        The machine's name for the submitted task, to find it again.
    """


class PrecisionWarning(UserWarning):
    """Coefficients were rounded to the machine's integer range; says by how much."""


class InfeasibleWarning(UserWarning):
    """No read satisfies the constraints; says which and what to raise."""


class MixingWarning(UserWarning):
    """Chains have not mixed: the reads do not follow the stated Boltzmann law yet."""


class TimeLimitWarning(UserWarning):
    """The time limit ended the call before a single read was complete."""
