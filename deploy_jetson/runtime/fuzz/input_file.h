// A fuzzer's input as a file of its own, in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace pv_fuzz {

// Made once and written anew for each input.
class InputFile {
 public:
  InputFile() : handle_(memfd_create("input", MFD_CLOEXEC)) {
    if (handle_ < 0) std::abort();
    path_ = "/proc/self/fd/" + std::to_string(handle_);
  }
  ~InputFile() { ::close(handle_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  void put(const std::uint8_t* data, std::size_t size) const {
    const bool done =
        ftruncate(handle_, 0) == 0 && pwrite(handle_, data, size, 0) == static_cast<ssize_t>(size);
    if (!done) std::abort();
  }

  const std::string& path() const { return path_; }

 private:
  int handle_;
  std::string path_;
};

}  // namespace pv_fuzz
