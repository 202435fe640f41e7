#pragma once
// What a node tells its operator while it asks for its cluster: that a seed, or a member of
// an earlier life, does not answer, and why. Asking goes on all the time; each reason is told once
// for an address.
//
// A pure machine: the caller logs. Not thread-safe.

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace engram::cluster {

class AskLog {
 public:
  // The line to log; none if the same was told of this address already.
  std::optional<std::string> OnError(const std::string& address, const absl::Status& status);
  // What comes next is news again.
  void OnAnswer(const std::string& address) { told_.erase(address); }

 private:
  static constexpr size_t kAddressesMax = 1024;  // more are not told of

  std::map<std::string, std::string> told_;  // the reason, by address
};

}  // namespace engram::cluster
