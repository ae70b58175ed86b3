# SPDX-License-Identifier: Apache-2.0
"""Programs that the tests start are no tests."""

collect_ignore = ["machine_room.py", "fake_sdk"]
