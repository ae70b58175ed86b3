# SPDX-License-Identifier: Apache-2.0
"""The kernels' functions in numpy: same signatures, same laws, other random bits."""
