// The backends of this build; each is one source file, or one that says why it is absent.
#pragma once

#include "engine.h"

namespace pv {

Backend tensorrt_backend();
Backend openvino_backend();
Backend fake_backend();

}  // namespace pv
