// SIGINT and SIGTERM as a question that is asked between two steps.
#include "common/stop_signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace pv::programs {

namespace {

sigset_t stopping() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

StopSignals::StopSignals() {
  const auto signals = stopping();
  handle_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  // Where the question cannot be asked, the signals keep ending the process.
  if (handle_ >= 0) pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// They stay blocked: one that was asked for is answered by ending well.
StopSignals::~StopSignals() {
  if (handle_ >= 0) ::close(handle_);
}

bool StopSignals::asked() const {
  if (handle_ < 0) return false;
  pollfd question{handle_, POLLIN, 0};
  return poll(&question, 1, 0) > 0;
}

bool StopSignals::lets_write(int handle) const {
  pollfd questions[] = {{handle, POLLOUT, 0}, {handle_, POLLIN, 0}};
  while (poll(questions, 2, -1) < 0 && errno == EINTR) {
  }
  return questions[1].revents == 0;
}

}  // namespace pv::programs
