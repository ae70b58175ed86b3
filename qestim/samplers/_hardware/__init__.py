# SPDX-License-Identifier: Apache-2.0
"""Real machines: encoding, jobs, and the backends that speak to them."""
