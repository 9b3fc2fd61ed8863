// A view of contiguous memory; std::span comes with C++20 only.
#pragma once

#include <cstddef>
#include <vector>

namespace pv {

template <class T>
class Span {
 public:
  constexpr Span() = default;
  constexpr Span(T* data, std::size_t size) : data_(data), size_(size) {}
  template <class U>
  constexpr Span(std::vector<U>& values) : data_(values.data()), size_(values.size()) {}
  template <class U>
  constexpr Span(const std::vector<U>& values) : data_(values.data()), size_(values.size()) {}

  constexpr T* data() const { return data_; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }
  constexpr T& operator[](std::size_t index) const { return data_[index]; }
  constexpr Span subspan(std::size_t from, std::size_t count) const {
    return {data_ + from, count};
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

using Bytes = Span<const unsigned char>;

}  // namespace pv
