// Embeddings as one JSON object per line.
#include <cstdio>
#include <optional>

#include "common/facts.h"
#include "common/json_text.h"
#include "common/output_file.h"
#include "common/run.h"
#include "embed/sink.h"

namespace pv::programs {

namespace {

class JsonLines final : public Sink {
 public:
  JsonLines(std::string path, std::optional<OutputFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  Status begin(const Model& model, const std::vector<std::string>& paths,
               const StopSignals& stop) override {
    paths_ = &paths;
    stop_ = &stop;
    dimension_ = static_cast<std::size_t>(model.engine->dimension());
    const auto& info = model.engine->info();
    end_ = "], \"space\": " + json_string(info.space_id) +
           ", \"encoder\": " + json_string(info.encoder_id) + "}\n";
    return Done{};
  }

  Status add(const std::vector<std::size_t>& rows, const float* embeddings) override {
    for (const auto row : rows) {
      line_ = "{\"path\": " + json_string((*paths_)[row]) + ", \"embedding\": [";
      for (std::size_t nth = 0; nth < dimension_; ++nth) {
        if (nth > 0) line_ += ", ";
        append_number(*embeddings++, line_);
      }
      line_ += end_;
      if (auto written = file_ ? file_->append(line_) : print(line_, *stop_); !written)
        return written;
      ++count_;
    }
    return Done{};
  }

  // Beside lines on standard output there is no place for words.
  Status finish(const std::vector<BadImage>& bad) override {
    if (!file_) {
      std::fputs(bad_text(bad).c_str(), stderr);
      return Done{};
    }
    if (auto named = file_->finish(); !named) return named;
    return print(path_ + ": " + std::to_string(count_) + " embeddings of " +
                 std::to_string(dimension_) + " values\n" + bad_text(bad));
  }

 private:
  std::string path_;
  std::optional<OutputFile> file_;
  const std::vector<std::string>* paths_ = nullptr;
  const StopSignals* stop_ = nullptr;
  std::size_t dimension_ = 0, count_ = 0;
  std::string end_, line_;
};

}  // namespace

Result<std::unique_ptr<Sink>> make_json_lines(const std::string& path) {
  std::optional<OutputFile> file;
  if (!path.empty()) {
    auto opened = OutputFile::open(path);
    if (!opened) return opened.error();
    file = *std::move(opened);
  }
  return std::unique_ptr<Sink>(std::make_unique<JsonLines>(path, std::move(file)));
}

}  // namespace pv::programs
