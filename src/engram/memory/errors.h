// Errors that more than one part of the engine answers with, so that each is worded once.
#pragma once

#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/base/strong_id.h"

namespace engram::memory {

inline absl::Status NoSuchSpace(const SpaceId& space) {
  ErrorDetail detail;
  detail.code = ErrorCode::kNoAssignment;
  detail.space = space.value();
  return MakeError(detail, fmt::format("there is no space '{}'", space.view()));
}

inline absl::Status NoSuchMemory(const SpaceId& space, const MemoryId& id) {
  ErrorDetail detail;
  detail.code = ErrorCode::kNotFound;
  detail.space = space.value();
  return MakeError(
      detail, fmt::format("there is no memory '{}' in the space '{}'", id.view(), space.view()));
}

// A change that another node has to take, or that comes from one who has no say any more.
inline absl::Status Refused(const SpaceId& space, std::string_view why) {
  ErrorDetail detail;
  detail.code = ErrorCode::kWrongNode;
  detail.space = space.value();
  return MakeError(detail, fmt::format("space '{}': {}", space.view(), why));
}

}  // namespace engram::memory
