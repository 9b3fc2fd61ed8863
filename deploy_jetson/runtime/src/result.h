// A value, or an error with a sentence: what every fallible function here returns.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace pv {

// The numbers are those of the command line's exit codes and of the C header.
enum class Code : int {
  ok = 0,
  user = 1,         // the input is wrong and its owner can mend it
  environment = 3,  // this machine lacks something, or computes something else
  full = 5,         // a bounded queue has no place; try again, or drop the frame
  closed = 6,       // what was asked has been shut down
  empty = 7,        // nothing has come within the time given; ask again
  internal = 70,    // a bug of ours
};

struct Error {
  Code code = Code::internal;
  std::string sentence;  // what, where, and how to mend it
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const noexcept { return state_.index() == 0; }

  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

struct Done {};
using Status = Result<Done>;

inline Error user_error(std::string sentence) { return {Code::user, std::move(sentence)}; }
inline Error environment_error(std::string sentence) {
  return {Code::environment, std::move(sentence)};
}

}  // namespace pv
