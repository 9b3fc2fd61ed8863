// Checks and changes of a graph that OpenVINO has read.
#include "openvino_graph.h"

namespace pv {

namespace {

// The last of the nodes that a QuantizeLinear and its DequantizeLinear became.
std::shared_ptr<ov::Node> end_of_pair(std::shared_ptr<ov::Node> node) {
  while (true) {
    const auto consumers = node->output(0).get_target_inputs();
    if (consumers.size() != 1) return node;
    const auto next = consumers.begin()->get_node()->shared_from_this();
    const std::string kind = next->get_type_name();
    if (kind != "Convert" && kind != "Subtract" && kind != "Multiply") return node;
    node = next;
  }
}

std::string type_of(const TensorSpec& spec) {
  if (spec.dtype == "uint8") return "u8";
  return spec.dtype == "int64" ? "i64" : spec.dtype;
}

}  // namespace

void strip_quantisers(ov::Model& model) {
  for (const auto& node : model.get_ops()) {
    if (std::string(node->get_type_name()) != "FakeQuantize") continue;
    end_of_pair(node)->output(0).replace(node->input_value(0));
  }
  model.validate_nodes_and_infer_types();
}

std::string unfit_inputs(const ov::Model& model, const Variant& variant) {
  std::string found;
  for (const auto& spec : variant.inputs) {
    bool fits = false;
    for (const auto& port : model.inputs()) {
      const auto type = port.get_element_type().get_type_name();
      fits |= port.get_names().count(spec.name) > 0 && type == type_of(spec);
      found += (found.empty() ? "" : ", ") + port.get_any_name() + ": " + type + " " +
               port.get_partial_shape().to_string();
    }
    if (!fits) {
      return "the graph's inputs are " + found + ", but this runtime feeds '" + spec.name +
             "' as " + spec.dtype + "; choose the variant for CPUs";
    }
  }
  return "";
}

}  // namespace pv
