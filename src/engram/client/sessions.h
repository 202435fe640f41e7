// What a client has seen of each space: the newest version that it has met in an answer. Internal
// to the client.
//
// Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/string_hash.h"
#include "engram/base/version.h"

namespace engram::client {

class Sessions {
 public:
  void Met(std::string_view space, const Version& version);
  // For metadata `engram-session`; empty if nothing was met.
  std::string TokenOf(std::string_view space) const;
  // For several; those that are patterns, or that have no room, are left out.
  template <class Names>
  std::string TokensOf(const Names& spaces) const {
    std::string tokens;
    for (const std::string& space : spaces) {
      const std::string token = TokenOf(space);
      if (token.empty() || tokens.size() + space.size() + token.size() > kBytesMax) continue;
      if (!tokens.empty()) tokens += ',';
      tokens.append(space).append("=").append(token);
    }
    return tokens;
  }

 private:
  static constexpr size_t kSpacesMax = 10'000;  // then all are forgotten
  static constexpr size_t kBytesMax = 4'096;    // half of what metadata may have

  mutable Mutex mutex_;
  StringMap<Version> newest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::client
