// A regular file that is read at places.
#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pv {

namespace {

Error refusal(const std::string& path, const std::string& what, const char* kind) {
  return user_error(path + ": " + what + " was expected here, but this is " + kind);
}

}  // namespace

Result<File> File::open(const std::string& path, const std::string& what) {
  const int handle = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (handle < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return refusal(path, what, "missing");
    return user_error(path + ": cannot be read (" + std::strerror(errno) +
                      "); check the file's permissions");
  }
  struct stat found {};
  if (fstat(handle, &found) != 0 || !S_ISREG(found.st_mode)) {
    ::close(handle);
    return refusal(path, what, S_ISDIR(found.st_mode) ? "a folder" : "no regular file");
  }
  return File(handle, static_cast<std::uint64_t>(found.st_size));
}

File::File(File&& other) noexcept : handle_(other.handle_), size_(other.size_) {
  other.handle_ = -1;
}

File& File::operator=(File&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(size_, other.size_);
  return *this;
}

File::~File() {
  if (handle_ >= 0) ::close(handle_);
}

std::size_t File::read(std::uint64_t place, unsigned char* out, std::size_t count) const {
  std::size_t done = 0;
  while (done < count) {
    const auto got = pread(handle_, out + done, count - done, static_cast<off_t>(place + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::vector<unsigned char> File::read(std::uint64_t place, std::size_t count) const {
  std::vector<unsigned char> data(count);
  data.resize(read(place, data.data(), count));
  return data;
}

Result<std::vector<unsigned char>> read_small(const std::string& path, const std::string& what,
                                              std::size_t most) {
  auto file = File::open(path, what);
  if (!file) return file.error();
  auto data = file->read(0, most + 1);
  if (data.size() > most) {
    return user_error(path + ": this is too long for " + what + "; check the path");
  }
  return data;
}

}  // namespace pv
