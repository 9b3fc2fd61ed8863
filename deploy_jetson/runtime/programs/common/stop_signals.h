// SIGINT and SIGTERM as a question that is asked between two steps.
#pragma once

namespace pv::programs {

// Make it before any thread is started: threads inherit that the signals do not end the process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool asked() const;
  // Waits until something can be written there; false where a stop is asked for first.
  bool lets_write(int handle) const;

 private:
  int handle_ = -1;
};

}  // namespace pv::programs
