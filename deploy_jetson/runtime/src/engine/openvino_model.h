// Models for fixed batch sizes, compiled by OpenVINO or taken from a cache of compiled ones.
#pragma once

#include <memory>
#include <openvino/openvino.hpp>
#include <string>

#include "../bundle/bundle.h"
#include "../result.h"
#include "cpu_precision.h"

namespace pv {

class OpenVinoModels {
 public:
  OpenVinoModels(std::shared_ptr<const Bundle> bundle, CpuChoice choice, const Cpu& cpu,
                 int threads, std::string cache);

  // One that takes exactly `batch` crops.
  Result<ov::CompiledModel> compiled(int batch);

  const std::string& version() const { return version_; }
  const CpuChoice& choice() const { return choice_; }
  // Why the cache could not be used; empty where it could.
  const std::string& complaint() const { return complaint_; }
  // The graph's name in messages.
  std::string name() const;
  Error refusal(const std::exception& problem) const;
  // Gives back what only compiling needs.
  void done() { graph_.reset(); }

 private:
  Status read_graph();
  Result<ov::CompiledModel> compile(int batch);
  bool from_cache(const std::string& path, ov::CompiledModel& out);
  void to_cache(const std::string& path, const ov::CompiledModel& compiled);
  std::string cache_path(int batch) const;

  std::shared_ptr<const Bundle> bundle_;
  CpuChoice choice_;
  std::string cpu_;
  int threads_;
  std::string cache_;
  std::string version_;
  std::string complaint_;
  ov::Core core_;
  ov::AnyMap settings_;
  std::shared_ptr<ov::Model> graph_;
};

}  // namespace pv
