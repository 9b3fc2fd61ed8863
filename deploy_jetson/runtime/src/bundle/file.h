// A regular file that is read at places, never mapped: a file cut short under a map would crash us.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../result.h"

namespace pv {

class File {
 public:
  static Result<File> open(const std::string& path, const std::string& what);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  std::uint64_t size() const { return size_; }
  // Fewer bytes than asked for only at the end of the file.
  std::size_t read(std::uint64_t place, unsigned char* out, std::size_t count) const;
  std::vector<unsigned char> read(std::uint64_t place, std::size_t count) const;

 private:
  File(int handle, std::uint64_t size) : handle_(handle), size_(size) {}
  int handle_ = -1;
  std::uint64_t size_ = 0;
};

// A whole small file, such as a key.
Result<std::vector<unsigned char>> read_small(const std::string& path, const std::string& what,
                                              std::size_t most);

}  // namespace pv
