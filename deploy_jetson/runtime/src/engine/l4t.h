// The release of a Jetson's Linux, which its driver comes with (engines/device_facts.py).
#pragma once

#include <string>

namespace pv {

// Such as 36.4.3; empty on what is not a Jetson. `root` is the folder above etc/ and var/.
std::string l4t_release(const std::string& root = "/");

}  // namespace pv
