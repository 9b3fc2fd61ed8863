// Embeddings that a program wrote before.
#include "common/vectors.h"

#include <algorithm>
#include <cstring>

#include "bundle/file.h"
#include "bundle/json.h"
#include "bundle/npy.h"

namespace pv::programs {

namespace {

Result<std::vector<unsigned char>> read_whole(const std::string& path, const std::string& what) {
  const auto file = File::open(path, what);
  if (!file) return file.error();
  return file->read(0, static_cast<std::size_t>(file->size()));
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
  const auto header = read_npy(*data, path);
  if (!header) return header.error();
  if (header->dtype != "<f4" || header->shape.size() != 2 || header->shape[1] < 1 ||
      header->shape[1] > 65536) {
    return user_error(path + ": a matrix of float32 was expected; embed the images again");
  }
  const auto sidecar = read_sidecar(path);
  if (!sidecar) return sidecar.error();
  Vectors read;
  read.dimension = static_cast<int>(header->shape[1]);
  read.values.resize(static_cast<std::size_t>(header->count()));
  std::memcpy(read.values.data(), data->data() + header->data, read.values.size() * sizeof(float));
  read.space_id = text_in(*sidecar, "space");
  read.encoder_id = text_in(*sidecar, "encoder");
  const auto images = sidecar->find("images");
  if (read.space_id.empty() || images == sidecar->end() || !images->is_array() ||
      images->size() != read.count()) {
    return no_sidecar(path, "it does not fit the matrix, or names no space");
  }
  for (const auto& image : *images) {
    read.names.push_back(image.is_string() ? image.get<std::string>() : "");
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
