// Which image files were meant, and their bytes.
#include "common/image_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "image/image.h"

namespace pv::programs {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffixes[] = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};

bool is_image_name(const fs::path& path) {
  std::string suffix = path.extension().string();
  for (char& letter : suffix) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return std::find(std::begin(kSuffixes), std::end(kSuffixes), suffix) != std::end(kSuffixes);
}

// As Python's pathlib spells a path: no "./", no doubled or trailing slashes; ".." stays.
std::string spelled(const std::string& path) {
  std::string out = path.empty() || path.front() != '/' ? "" : "/";
  for (std::size_t at = 0; at < path.size();) {
    const auto slash = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, slash - at);
    at = slash + 1;
    if (part.empty() || part == ".") continue;
    if (!out.empty() && out.back() != '/') out += '/';
    out += part;
  }
  return out.empty() ? "." : out;
}

std::string joined(const std::string& folder, const fs::path& inside) {
  if (folder == ".") return inside.string();
  return (folder.back() == '/' ? folder : folder + "/") + inside.string();
}

Status add_folder(const std::string& folder, std::vector<std::string>& out) {
  std::error_code problem;
  std::vector<std::string> found;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                         problem);
  for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
    if (is_image_name(entry->path().filename())) {
      found.push_back(joined(folder, entry->path().lexically_relative(folder)));
    }
  }
  if (problem) {
    return user_error(folder + ": cannot be read (" + problem.message() +
                      "); check the folder's permissions");
  }
  if (found.empty()) {
    return user_error(folder + ": no images here (.jpg, .jpeg, .png, .webp, .bmp)");
  }
  std::sort(found.begin(), found.end());
  out.insert(out.end(), found.begin(), found.end());
  return Done{};
}

Status add_place(const std::string& place, std::vector<std::string>& out) {
  const std::string path = spelled(place);
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return add_folder(path, out);
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) {
    return user_error(path + ": no such file or folder");
  }
  out.push_back(path);
  return Done{};
}

Status add_lines(std::istream& lines, std::vector<std::string>& out) {
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    if (line.find('\0') != std::string::npos) {
      return user_error("the list holds a zero byte; give one path on each line");
    }
    if (auto added = add_place(line, out); !added) return added;
  }
  if (std::ferror(stdin) == 0) return Done{};
  return user_error(std::string("standard input cannot be read (") + std::strerror(errno) +
                    "); check where it comes from");
}

Error unreadable(const std::string& path, int problem) {
  if (problem == ENOENT) return user_error(path + ": no such file; check the path");
  return user_error(path + ": cannot be read (" + std::strerror(problem) +
                    "); check the file's permissions");
}

class Handle {
 public:
  explicit Handle(int handle) : handle_(handle) {}
  ~Handle() {
    if (handle_ >= 0) ::close(handle_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  int get() const { return handle_; }

 private:
  int handle_;
};

Status check(const std::string& path, const struct stat& found) {
  if (S_ISDIR(found.st_mode)) {
    return user_error(path + ": this is a folder, not an image; give one of the files in it");
  }
  if (!S_ISREG(found.st_mode)) {
    return user_error(path + ": not a regular file; copy the image to a file first");
  }
  if (found.st_size == 0) {
    return user_error(path + ": the file is empty (0 bytes); copy it again or remove it");
  }
  if (static_cast<std::uint64_t>(found.st_size) > kMaxBytes) {
    return user_error(path + ": " + std::to_string(found.st_size) +
                      " bytes is more than the limit of " + std::to_string(kMaxBytes) +
                      " for one image; store it smaller");
  }
  return Done{};
}

}  // namespace

Result<std::vector<std::string>> images_in(const std::vector<std::string>& places) {
  std::vector<std::string> found;
  for (const auto& place : places) {
    const auto added = place == "-" ? add_lines(std::cin, found) : add_place(place, found);
    if (!added) return added.error();
  }
  return found;
}

Status read_image_file(const std::string& path, std::vector<unsigned char>& data) {
  const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return unreadable(path, errno);
  struct stat found {};
  if (fstat(file.get(), &found) != 0) return unreadable(path, errno);
  if (auto fits = check(path, found); !fits) return fits;
  data.resize(static_cast<std::size_t>(found.st_size));
  std::size_t done = 0;
  while (done < data.size()) {
    const auto got = read(file.get(), data.data() + done, data.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(path, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  data.resize(done);
  return Done{};
}

}  // namespace pv::programs
