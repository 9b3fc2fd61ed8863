// Embeddings as a .npy file, with the JSON beside it that says which row is which.
#include <filesystem>

#include "bundle/npy.h"
#include "common/facts.h"
#include "common/json_text.h"
#include "common/output_file.h"
#include "common/run.h"
#include "embed/sink.h"

namespace pv::programs {

namespace {

constexpr int kSchema = 1;

class Matrix final : public Sink {
 public:
  Matrix(std::string path, OutputFile file, bool as_json)
      : path_(std::move(path)), file_(std::move(file)), as_json_(as_json) {}

  Status begin(const Model& model, const std::vector<std::string>& paths) override {
    model_ = &model;
    paths_ = &paths;
    dimension_ = static_cast<std::size_t>(model.engine->dimension());
    return file_.append(Bytes(header(paths.size())));
  }

  Status add(const std::vector<std::size_t>& rows, const float* embeddings) override {
    for (const auto row : rows) names_.push_back(valid_utf8((*paths_)[row]));
    const auto* bytes = reinterpret_cast<const unsigned char*>(embeddings);
    return file_.append(Bytes(bytes, rows.size() * dimension_ * sizeof(float)));
  }

  Status finish(const std::vector<BadImage>& bad) override {
    if (auto written = file_.put(0, Bytes(header(names_.size()))); !written) return written;
    if (auto named = file_.finish(); !named) return named;
    const auto& info = model_->engine->info();
    Json facts = {
        {"schema", kSchema},      {"out", std::filesystem::path(path_).filename().string()},
        {"space", info.space_id}, {"encoder", info.encoder_id},
        {"images", names_},       {"bad", bad_facts(bad)}};
    Json beside = facts;
    beside["engine"] = engine_facts(info);
    beside["preprocess"] = preprocess_facts(model_->engine->preprocess());
    if (auto written = write_whole(path_ + ".json", spelled(beside) + "\n"); !written)
      return written;
    if (as_json_) return print(spelled(facts) + "\n");
    return print(path_ + ": " + std::to_string(names_.size()) + " embeddings of " +
                 std::to_string(dimension_) + " values\n" + bad_text(bad));
  }

 private:
  // As long for any number of rows as for another: npy pads to 64 bytes, and all need one.
  std::vector<unsigned char> header(std::size_t rows) const {
    return npy_header("<f4",
                      {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(dimension_)});
  }

  std::string path_;
  OutputFile file_;
  bool as_json_;
  const Model* model_ = nullptr;
  const std::vector<std::string>* paths_ = nullptr;
  std::size_t dimension_ = 0;
  std::vector<std::string> names_;
};

}  // namespace

Result<std::unique_ptr<Sink>> make_matrix(const std::string& path, bool as_json) {
  auto file = OutputFile::open(path);
  if (!file) return file.error();
  return std::unique_ptr<Sink>(std::make_unique<Matrix>(path, *std::move(file), as_json));
}

}  // namespace pv::programs
