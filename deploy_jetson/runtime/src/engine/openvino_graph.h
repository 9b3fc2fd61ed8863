// Checks and changes of a graph that OpenVINO has read.
#pragma once

#include <memory>
#include <openvino/openvino.hpp>
#include <string>

#include "../bundle/bundle.h"

namespace pv {

// Let every activation pass unquantised; weights stay dequantised integers.
void strip_quantisers(ov::Model& model);

// Why its inputs are not those that this runtime feeds; empty where they are.
std::string unfit_inputs(const ov::Model& model, const Variant& variant);

}  // namespace pv
