// Models for fixed batch sizes, compiled by OpenVINO or taken from a cache of compiled ones.
//
// OpenVINO's own cache needs the ONNX file read, converted and hashed before it can look; here a
// model is found by names alone, which is most of a quick start. Python keeps OpenVINO's cache, and
// the names differ, so that the two do not meet.
#include "openvino_model.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "../bundle/digest.h"
#include "../bundle/file.h"
#include "../bundle/manifest.h"
#include "openvino_graph.h"

namespace pv {

namespace {

constexpr std::size_t kDigits = 64;
constexpr std::size_t kKeyDigits = 32;

std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  }
  return last;
}

// A file in the making, of which nothing stays where it does not get its name.
struct Part {
  std::string path;
  ~Part() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

}  // namespace

OpenVinoModels::OpenVinoModels(std::shared_ptr<const Bundle> bundle, CpuChoice choice,
                               const Cpu& cpu, int threads, std::string cache)
    : bundle_(std::move(bundle)),
      choice_(std::move(choice)),
      cpu_(cpu.name + " " + joined(cpu.flags, " ")),
      threads_(threads > 0 ? threads : usable_cores()),
      cache_(std::move(cache)),
      version_(ov::get_openvino_version().buildNumber),
      settings_{{"INFERENCE_PRECISION_HINT", choice_.rest},
                {"INFERENCE_NUM_THREADS", threads_},
                {"NUM_STREAMS", 1},
                // On some CPUs OpenVINO would quantise the input of a layer with INT8 weights.
                {"DYNAMIC_QUANTIZATION_GROUP_SIZE", 0}} {}

std::string OpenVinoModels::name() const {
  return bundle_->path() + ", variant '" + choice_.variant->name + "'";
}

Error OpenVinoModels::refusal(const std::exception& problem) const {
  return environment_error("OpenVINO " + version_ + " cannot run " + name() + ": " +
                           last_line(problem.what()) +
                           "; use another engine or another version of OpenVINO");
}

Result<ov::CompiledModel> OpenVinoModels::compiled(int batch) {
  const auto path = cache_.empty() ? "" : cache_path(batch);
  ov::CompiledModel found;
  if (!path.empty() && from_cache(path, found)) return found;
  auto made = compile(batch);
  if (made && !path.empty()) to_cache(path, *made);
  return made;
}

Status OpenVinoModels::read_graph() {
  if (graph_) return Done{};
  const auto data = bundle_->read(graph_member(*choice_.variant));
  if (!data) return data.error();
  graph_ = core_.read_model(std::string(data->begin(), data->end()), ov::Tensor());
  const auto unfit = unfit_inputs(*graph_, *choice_.variant);
  if (!unfit.empty()) return user_error(name() + ": " + unfit);
  if (choice_.dequantise) strip_quantisers(*graph_);
  return Done{};
}

Result<ov::CompiledModel> OpenVinoModels::compile(int batch) {
  try {
    if (const auto read = read_graph(); !read) return read.error();
    const auto model = graph_->clone();
    const auto& size = bundle_->manifest().preprocess;
    model->reshape(ov::PartialShape{batch, size.height, size.width, 3});
    return core_.compile_model(model, "CPU", settings_);
  } catch (const std::exception& problem) {
    return refusal(problem);
  }
}

// All that the compiled model depends on; the digest of the bundle stands for the graph.
std::string OpenVinoModels::cache_path(int batch) const {
  std::ostringstream all;
  all << "1\n"
      << version_ << "\n"
      << cpu_ << "\n"
      << bundle_->digest() << "\n"
      << choice_.variant->name << "\n"
      << choice_.precision << "\n"
      << choice_.rest << "\n"
      << choice_.dequantise << "\n"
      << threads_ << "\n"
      << batch;
  const auto key = sha256(all.str()).substr(0, kKeyDigits);
  return (std::filesystem::path(cache_) / ("personvit-native-" + key + ".ovblob")).string();
}

// A file that was cut, or that this OpenVINO does not take, is compiled and written anew.
bool OpenVinoModels::from_cache(const std::string& path, ov::CompiledModel& out) try {
  const auto file = File::open(path, "a compiled model");
  if (!file || file->size() <= kDigits) return false;
  ov::Tensor blob(ov::element::u8, {file->size() - kDigits});
  auto* data = blob.data<std::uint8_t>();
  std::string digest(kDigits, '\0');
  file->read(0, reinterpret_cast<unsigned char*>(digest.data()), kDigits);
  if (file->read(kDigits, data, blob.get_size()) != blob.get_size()) return false;
  if (sha256(Bytes(data, blob.get_size())) != digest) return false;
  out = core_.import_model(blob, "CPU", settings_);
  return true;
} catch (const std::exception&) {
  return false;
}

void OpenVinoModels::to_cache(const std::string& path, const ov::CompiledModel& compiled) try {
  std::filesystem::create_directories(cache_);
  std::ostringstream stream;
  // Exporting changes nothing, but is not declared so.
  ov::CompiledModel(compiled).export_model(stream);
  const auto blob = stream.str();
  static std::atomic<unsigned> nth{0};  // engines of one process may be opened together
  const Part part{path + "." + std::to_string(getpid()) + "." + std::to_string(++nth) + ".part"};
  std::ofstream file(part.path, std::ios::binary);
  file << sha256(bytes_of(blob)) << blob;
  file.close();
  if (!file) throw std::runtime_error("the file could not be written");
  std::filesystem::rename(part.path, path);
} catch (const std::exception& problem) {
  complaint_ =
      "the compiled model could not be kept in " + cache_ + " (" + last_line(problem.what()) + ")";
}

}  // namespace pv
