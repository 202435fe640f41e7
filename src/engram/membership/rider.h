// News of another kind that rides on membership's datagrams, behind membership's own, where there
// is room: the port through which assignments are gossiped (SPEC C3).
//
// Thread-safety: called by Swim on the thread that feeds it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace engram::membership {

class Rider {
 public:
  virtual ~Rider() = default;

  virtual bool HasNews() const = 0;
  // Appends what fits into `size_max` and counts it as sent; `members` are live.
  virtual void Fill(std::string& datagram, size_t size_max, size_t members) = 0;
  // What another node's Fill() appended. InvalidArgument if it is damaged.
  [[nodiscard]] virtual absl::Status Hear(std::string_view news) = 0;
};

}  // namespace engram::membership
