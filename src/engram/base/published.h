// A value that one thread replaces as a whole while others read it without a lock.
//
// Thread-safety: Read() from any thread, waits for nobody; what it hands out must not outlive it.
// Replace() is called by one thread at a time. Former values are freed by a later Replace(), once
// no reader can be in them (base/read_section.h), and with the object.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <utility>

#include "engram/base/read_section.h"

namespace engram {

template <class T>
class Published {
 public:
  explicit Published(std::unique_ptr<const T> first) : owned_(std::move(first)) {
    current_.store(owned_.get());
  }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // Calls `use` with the value of this moment. `use` must not begin a ReadSection of its own.
  template <class Use>
  auto Read(Use use) const {
    const ReadSection section;
    return use(*current_.load());
  }

  void Replace(std::unique_ptr<const T> next) {
    current_.store(next.get());
    former_.push_back({RetireStamp(), std::exchange(owned_, std::move(next))});
    const uint64_t oldest = OldestReader();
    while (!former_.empty() && former_.front().stamp < oldest) former_.pop_front();
  }

 private:
  struct Former {
    uint64_t stamp;
    std::unique_ptr<const T> value;
  };

  std::atomic<const T*> current_;
  std::unique_ptr<const T> owned_;
  std::deque<Former> former_;
};

}  // namespace engram
