// Embeddings that a program wrote before.
#include "common/vectors.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "bundle/file.h"
#include "bundle/json.h"

namespace pv::programs {

namespace {

Result<std::vector<unsigned char>> read_whole(const std::string& path, const std::string& what) {
  const auto file = File::open(path, what);
  if (!file) return file.error();
  return file->read(0, static_cast<std::size_t>(file->size()));
}

struct Matrix {
  std::size_t rows = 0, columns = 0, data = 0;  // where the values begin
};

// As numpy.save writes float32, which bundles spell more narrowly (bundle/npy.h).
std::optional<Matrix> read_matrix(const std::vector<unsigned char>& file) {
  constexpr std::size_t kFixed = 10, kMostColumns = 65536;
  if (file.size() < kFixed || std::memcmp(file.data(), "\x93NUMPY\x01", 7) != 0) return {};
  const std::size_t end = kFixed + file[8] + std::size_t{file[9]} * 256;
  if (end > file.size()) return {};
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kFixed, end - kFixed);
  const std::string_view shape = "'shape': (";
  const auto at = text.find(shape);
  const bool plain = text.find("'descr': '<f4'") != text.npos &&
                     text.find("'fortran_order': False") != text.npos && at != text.npos;
  if (!plain) return {};
  Matrix found;
  found.data = end;
  const char* const last = text.data() + text.size();
  const auto rows = std::from_chars(text.data() + at + shape.size(), last, found.rows);
  if (rows.ec != std::errc() || last - rows.ptr < 3 || std::memcmp(rows.ptr, ", ", 2) != 0)
    return {};
  const auto columns = std::from_chars(rows.ptr + 2, last, found.columns);
  if (columns.ec != std::errc() || columns.ptr == last || *columns.ptr != ')') return {};
  if (found.columns < 1 || found.columns > kMostColumns) return {};
  const std::size_t values = (file.size() - end) / sizeof(float);
  const bool fits = (file.size() - end) % sizeof(float) == 0 && values % found.columns == 0 &&
                    values / found.columns == found.rows;
  return fits ? std::optional<Matrix>(found) : std::nullopt;
}

Error no_sidecar(const std::string& path, const std::string& why) {
  return user_error(path + ".json: " + why +
                    "; it says whose space the vectors are of: embed the images again with "
                    "pv-embed or 'personvit-engine run'");
}

// Lists of millions of images are longer than a manifest may be, but just as plain.
Result<Json> read_sidecar(const std::string& path) {
  const auto data = read_whole(path + ".json", "the list beside the embeddings");
  if (!data) return no_sidecar(path, "it is missing or cannot be read");
  auto read = Json::parse(data->begin(), data->end(), nullptr, false);
  if (!read.is_object()) return no_sidecar(path, "this is no JSON object");
  return read;
}

std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Result<Vectors> read_vectors(const std::string& path) {
  const auto data = read_whole(path, "a .npy file of embeddings");
  if (!data) return data.error();
  const auto matrix = read_matrix(*data);
  if (!matrix) {
    return user_error(path +
                      ": a .npy file with a matrix of float32 was expected; embed the "
                      "images again");
  }
  const auto sidecar = read_sidecar(path);
  if (!sidecar) return sidecar.error();
  Vectors read;
  read.dimension = static_cast<int>(matrix->columns);
  read.values.resize(matrix->rows * matrix->columns);
  std::memcpy(read.values.data(), data->data() + matrix->data, read.values.size() * sizeof(float));
  read.space_id = text_in(*sidecar, "space");
  read.encoder_id = text_in(*sidecar, "encoder");
  const auto images = sidecar->find("images");
  if (read.space_id.empty() || images == sidecar->end() || !images->is_array() ||
      images->size() != read.count()) {
    return no_sidecar(path, "it does not fit the matrix, or names no space");
  }
  for (const auto& image : *images) {
    if (!image.is_string()) return no_sidecar(path, "one of its images is no text");
    read.names.push_back(image.get<std::string>());
  }
  return read;
}

Result<std::vector<std::string>> read_lines(const std::string& path, const std::string& what) {
  const auto data = read_whole(path, what);
  if (!data) return data.error();
  std::vector<std::string> lines;
  for (auto from = data->begin(); from != data->end();) {
    const auto end = std::find(from, data->end(), static_cast<unsigned char>('\n'));
    lines.emplace_back(from, end);
    if (!lines.back().empty() && lines.back().back() == '\r') lines.back().pop_back();
    from = end == data->end() ? end : end + 1;
  }
  return lines;
}

}  // namespace pv::programs
