// One model ready to run, behind one interface (engines/base.py).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../bundle/bundle.h"
#include "../result.h"

namespace pv {

constexpr int kMostBatch = 4096;

struct EngineOptions {
  std::string backend = "auto";  // openvino, tensorrt, fake
  std::string variant;           // empty: the first that the backend takes
  std::string precision;         // empty: the best that is exact here
  int batch = 8;                 // the largest batch of one call
  int threads = 0;               // 0: all
  std::string cache;             // a folder for compiled models; empty: none
  std::string plan;              // tensorrt: a plan beside its sidecar, or a folder of such
  bool replay = true;            // golden crops at batch 1 and at the largest batch
  // How many crops the first call will have: only their batch size is made ready and replayed
  // when the engine is opened, and the others before their first use. 0: all when it is opened.
  int first = 0;
};

struct EngineInfo {
  std::string backend;
  std::string version;
  std::string device;
  std::string precision;
  std::string variant;
  std::string encoder_id;
  std::string space_id;
  std::vector<std::string> notes;
};

// Not thread-safe: one thread at a time may call it. After opening, embed allocates nothing.
class Engine {
 public:
  // Opens the bundle's graph with the backend asked for, and refuses drift on golden crops.
  static Result<std::unique_ptr<Engine>> open(const std::shared_ptr<const Bundle>& bundle,
                                              const EngineOptions& options);
  // Makes an engine answer only in batch sizes that have replayed the golden crops; that of the
  // first call, or with 0 all, at once.
  static Result<std::unique_ptr<Engine>> proven(std::unique_ptr<Engine> fresh, const Bundle& bundle,
                                                int first);
  virtual ~Engine() = default;

  virtual const EngineInfo& info() const = 0;
  virtual const Preprocess& preprocess() const = 0;
  virtual int dimension() const = 0;
  virtual int batch() const = 0;

  // How far answers may lie from the golden ones: the variant's own, but for coarser arithmetic.
  virtual Bounds bounds() const { return {}; }
  // The batch sizes whose code differs, each of which the golden crops are replayed at.
  virtual std::vector<int> sizes() const { return {1, batch()}; }
  // Which of them runs `count` crops, at most batch().
  virtual int size_for(int count) const;

  // `count` crops of height x width x 3 bytes each, any number; `out` takes count x dimension.
  // No answer is given by a batch size that has not replayed the golden crops.
  Status embed(const std::uint8_t* crops, std::size_t count, float* out);

 protected:
  // One batch of 1 to batch() crops.
  virtual Status run(const std::uint8_t* crops, int count, float* out) = 0;

 private:
  // What is still to be replayed.
  struct Unproven {
    Golden golden;
    std::string name;
    std::vector<int> sizes;
  };

  Status load_golden(const Bundle& bundle);
  Status prove(int size);

  std::unique_ptr<Unproven> unproven_;  // empty once every size is proven
};

// What a backend's source file gives to the registry; absent backends say what is missing.
struct Backend {
  const char* name;
  bool by_itself;  // whether "auto" may choose it
  // Why it cannot run here, and what to install; empty where it can.
  std::string (*missing)(const EngineOptions& options);
  Result<std::unique_ptr<Engine>> (*open)(const std::shared_ptr<const Bundle>& bundle,
                                          const EngineOptions& options);
};

// Of this build, in the order in which "auto" tries them.
const std::vector<Backend>& backends();

using RunBatch = std::function<Status(const std::uint8_t* crops, int count, float* out)>;

// Refuses an engine whose answers to the golden crops drift at this batch size; `name` begins the
// sentence.
Status replay_golden(const RunBatch& run, const Golden& golden, const Bounds& bounds, int batch,
                     const std::string& name);

}  // namespace pv
