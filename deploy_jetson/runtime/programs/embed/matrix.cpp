// Embeddings as a .npy file, with the JSON beside it that says which row is which.
#include <cstdio>
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
  Matrix(std::string path, OutputFile file, OutputFile beside, bool as_json)
      : path_(std::move(path)),
        file_(std::move(file)),
        beside_(std::move(beside)),
        as_json_(as_json) {}

  Status begin(const Model& model, const std::vector<std::string>& paths,
               const StopSignals&) override {
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
    const auto& info = model_->engine->info();
    Json facts = {
        {"schema", kSchema},      {"out", std::filesystem::path(path_).filename().string()},
        {"space", info.space_id}, {"encoder", info.encoder_id},
        {"images", names_},       {"bad", bad_facts(bad)}};
    Json beside = facts;
    beside["engine"] = engine_facts(info);
    beside["preprocess"] = preprocess_facts(model_->engine->preprocess());
    if (auto written = beside_.append(spelled(beside) + "\n"); !written) return written;
    if (auto named = name_both(); !named) return named;
    if (as_json_) return print(spelled(facts) + "\n");
    return print(path_ + ": " + std::to_string(names_.size()) + " embeddings of " +
                 std::to_string(dimension_) + " values\n" + bad_text(bad));
  }

 private:
  // Both are whole on the disk before one has a name; rows never stand beside the list of others.
  Status name_both() {
    if (auto sealed = file_.seal(); !sealed) return sealed;
    if (auto sealed = beside_.seal(); !sealed) return sealed;
    std::remove((path_ + ".json").c_str());
    if (auto named = file_.finish(); !named) return named;
    return beside_.finish();
  }

  // As long for any number of rows as for another: npy pads to 64 bytes, and all need one.
  std::vector<unsigned char> header(std::size_t rows) const {
    return npy_header("<f4",
                      {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(dimension_)});
  }

  std::string path_;
  OutputFile file_, beside_;
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
  auto beside = OutputFile::open(path + ".json");
  if (!beside) return beside.error();
  return std::unique_ptr<Sink>(
      std::make_unique<Matrix>(path, *std::move(file), *std::move(beside), as_json));
}

}  // namespace pv::programs
