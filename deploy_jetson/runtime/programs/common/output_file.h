// A file that appears whole under its name, or not at all (core/files.py).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result.h"
#include "span.h"

namespace pv::programs {

class OutputFile {
 public:
  // Refuses at once a place that cannot be written.
  static Result<OutputFile> open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();

  Status append(Bytes data);
  Status append(const std::string& text);
  // Over what was written before.
  Status put(std::uint64_t place, Bytes data);
  // All is on the disk, and only its name is missing; finish() does this too.
  Status seal();
  Status finish();

 private:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  Status flush();
  Status write(std::uint64_t place, Bytes data) const;
  Error refusal() const;

  std::string path_, part_;  // part_ is empty while the file has no name at all
  int handle_ = -1;
  std::uint64_t written_ = 0;
  std::vector<unsigned char> waiting_;
};

Status write_whole(const std::string& path, const std::string& text);

}  // namespace pv::programs
