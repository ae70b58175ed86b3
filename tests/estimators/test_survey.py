# SPDX-License-Identifier: Apache-2.0
import pathlib

import numpy as np
import pytest
import scipy.sparse

from qestim.estimators._rows import Rows
from qestim.estimators._survey import Survey

STATUS = pathlib.Path("/proc/self/status")


def held():
    line = next(x for x in STATUS.read_text().splitlines() if x.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="reads the memory of Linux")
def test_memory_does_not_grow_with_the_rows():
    n, d = 82_000, 2000
    X = scipy.sparse.csr_matrix(
        (np.ones(n, np.float32), np.arange(n) % d, np.arange(n + 1)), shape=(n, d)
    )
    survey, before = Survey("nb"), held()
    survey.add(Rows(X, survey.scaling))
    assert held() - before < 300e6  # of 20 blocks of 33 MB
    np.testing.assert_array_equal(survey._sums[0], np.ones(n))
