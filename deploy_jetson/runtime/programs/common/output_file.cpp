// A file that appears whole under its name, or not at all.
#include "common/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace pv::programs {

namespace {

constexpr std::size_t kBlock = 1 << 20;

std::filesystem::path folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

const char* mend(int problem) {
  switch (problem) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space, or choose another disk";
    case EROFS:
      return "; choose a place that can be written to";
    case EACCES:
    case EPERM:
      return "; change its permissions, or choose another place";
    case ENOENT:
      return "; check the path";
    case ENAMETOOLONG:
      return "; choose a shorter name";
    case EFBIG:
      return "; raise the limit of file sizes, or ask for less";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files";
    case EIO:
      return "; check the disk";
    case ENOTDIR:
      return "; a part of this path is a file; check the path";
    default:
      return "";
  }
}

Error refused(const std::string& path) {
  const int problem = errno;
  return user_error("the operating system refused: " + path + ": " + std::strerror(problem) +
                    mend(problem));
}

Status refuse_other_than_file(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0)
    return errno == ENAMETOOLONG ? refused(path) : Status(Done{});
  if (S_ISREG(found.st_mode)) return Done{};
  if (S_ISDIR(found.st_mode)) {
    return user_error(path + " is a folder; name the file to write, such as " + path + "/NAME");
  }
  return user_error(path + " is a device or a pipe; name a file to write");
}

}  // namespace

Result<OutputFile> OutputFile::open(const std::string& path) {
  if (const auto fits = refuse_other_than_file(path); !fits) return fits.error();
  std::error_code ignored;  // told by the opening
  const auto folder = folder_of(path);
  std::filesystem::create_directories(folder, ignored);
  OutputFile file(path);
  // Without a name until it is whole: a killed writer leaves nothing.
  file.handle_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file.handle_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    std::string part = path + ".XXXXXX.part";
    file.handle_ = mkostemps(part.data(), 5, O_CLOEXEC);
    if (file.handle_ >= 0) file.part_ = part;
  }
  if (file.handle_ < 0) return file.refusal();
  file.waiting_.reserve(kBlock);
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      part_(std::exchange(other.part_, "")),
      handle_(std::exchange(other.handle_, -1)),
      written_(other.written_),
      waiting_(std::move(other.waiting_)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(part_, other.part_);
  std::swap(handle_, other.handle_);
  std::swap(written_, other.written_);
  std::swap(waiting_, other.waiting_);
  return *this;
}

OutputFile::~OutputFile() {
  if (handle_ < 0) return;
  ::close(handle_);
  if (!part_.empty()) ::unlink(part_.c_str());
}

Status OutputFile::append(Bytes data) {
  waiting_.insert(waiting_.end(), data.begin(), data.end());
  return waiting_.size() < kBlock ? Status(Done{}) : flush();
}

Status OutputFile::append(const std::string& text) {
  return append(Bytes(reinterpret_cast<const unsigned char*>(text.data()), text.size()));
}

Status OutputFile::put(std::uint64_t place, Bytes data) {
  if (auto flushed = flush(); !flushed) return flushed;
  return write(place, data);
}

Status OutputFile::flush() {
  if (auto done = write(written_, waiting_); !done) return done;
  written_ += waiting_.size();
  waiting_.clear();
  return Done{};
}

Status OutputFile::write(std::uint64_t place, Bytes data) const {
  for (std::size_t done = 0; done < data.size();) {
    const auto put =
        pwrite(handle_, data.data() + done, data.size() - done, static_cast<off_t>(place + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return refusal();
    done += static_cast<std::size_t>(put);
  }
  return Done{};
}

Status OutputFile::seal() {
  if (auto flushed = flush(); !flushed) return flushed;
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(handle_, 0666 & ~mask) != 0 || fsync(handle_) != 0) return refusal();
  return Done{};
}

Status OutputFile::finish() {
  if (auto sealed = seal(); !sealed) return sealed;
  if (part_.empty()) {
    // Short, so that every name that can be given can be written; of this file alone.
    const auto name =
        "personvit-" + std::to_string(getpid()) + "-" + std::to_string(handle_) + ".part";
    const auto part = (folder_of(path_) / name).string();
    const auto own = "/proc/self/fd/" + std::to_string(handle_);
    ::unlink(part.c_str());
    if (linkat(AT_FDCWD, own.c_str(), AT_FDCWD, part.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return refusal();
    }
    part_ = part;
  }
  if (std::rename(part_.c_str(), path_.c_str()) != 0) return refusal();
  part_.clear();
  return Done{};
}

Error OutputFile::refusal() const { return refused(path_); }

Status write_whole(const std::string& path, const std::string& text) {
  auto file = OutputFile::open(path);
  if (!file) return file.error();
  if (auto written = file->append(text); !written) return written;
  return file->finish();
}

}  // namespace pv::programs
