// The registry of a build for users.
#include "backends.h"

namespace pv {

const std::vector<Backend>& backends() {
  static const std::vector<Backend> known{tensorrt_backend(), openvino_backend()};
  return known;
}

}  // namespace pv
