#include "engram/client/sessions.h"

#include "engram/base/session_token.h"

namespace engram::client {

void Sessions::Met(std::string_view space, const Version& version) {
  if (version == Version{}) return;
  WriterLock lock(&mutex_);
  auto at = newest_.find(space);
  if (at != newest_.end()) {
    if (at->second < version) at->second = version;
    return;
  }
  if (newest_.size() >= kSpacesMax) newest_.clear();
  newest_.emplace(std::string(space), version);
}

std::string Sessions::TokenOf(std::string_view space) const {
  WriterLock lock(&mutex_);
  auto at = newest_.find(space);
  return at == newest_.end() ? "" : ToSessionToken(at->second);
}

}  // namespace engram::client
