// Inflates one gzip-compressed message (RFC 1952), in memory and time that the limit bounds.
//
// A pure function, thread-safe: nothing is kept between messages. A stream's messages wait in their
// compressed form, so that no peer can make us hold more than it has sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace engram::net::internal {

// The members of `compressed`, one after the other. Stops, with INVALID_ARGUMENT, as soon as there
// is more than `bytes_max`, however much would follow; INTERNAL for what is no gzip, does not match
// its checksum, is cut short or is followed by something else.
absl::StatusOr<std::string> Gunzip(std::string_view compressed, size_t bytes_max);

}  // namespace engram::net::internal
