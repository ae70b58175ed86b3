# SPDX-License-Identifier: Apache-2.0
"""Whatever a machine's software raises, as an error that says what to do."""

from qestim import exceptions
from qestim.samplers._hardware import kaiwu_worker

KINDS = {
    "license": exceptions.HardwareLicenseError,
    "quota": exceptions.HardwareQuotaError,
    "network": exceptions.HardwareNetworkError,
}


def typed(error, task):
    """Return an exception as a HardwareError of its kind.

    Parameters
    ----------
    error : Exception
        What was raised; a HardwareError is returned as it is.
    task : MachineTask
        The task that it was raised for.

    Returns
    -------
    error : HardwareError
        Its ``task_id`` is the task's name.
    """
    if isinstance(error, exceptions.HardwareError):
        return error
    kind, message = kaiwu_worker.describe(error, {})
    return KINDS.get(kind, exceptions.HardwareError)(
        f"The machine failed in {task.name}: {message}", task.name
    )
