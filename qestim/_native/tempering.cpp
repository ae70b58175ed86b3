// SPDX-License-Identifier: Apache-2.0
#include "common.hpp"

void bind_tempering(nb::module_&) {}
