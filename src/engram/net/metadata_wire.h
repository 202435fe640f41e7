// Metadata between memory and wire: which names are ours to carry, base64 for "-bin", what may be
// in a value.
//
// Source: gRPC over HTTP/2, "Custom-Metadata". Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engram/net/metadata.h"

namespace engram::net::internal {

// True for headers that the wire itself uses; they are neither shown to handlers nor taken from
// callers.
bool IsReservedHeader(std::string_view name);

inline bool IsBinaryHeader(std::string_view name) { return name.ends_with("-bin"); }

// Adds one received header. False: not base64. Several comma-separated "-bin" values become as many
// entries.
[[nodiscard]] bool AddReceived(std::string_view name, std::string_view value, Metadata& metadata);

// Base64 without padding, as gRPC recommends.
std::string EncodeBinary(std::string_view value);
// Accepts it with and without padding. False: not base64.
[[nodiscard]] bool DecodeBinary(std::string_view text, std::string& value);

// Whether gRPC can carry it, and for all of them a status that names the first that it cannot:
// names of a-z 0-9 _ - . and not reserved; values, unless "-bin", of printable ASCII.
bool IsSendable(std::string_view name, std::string_view value);
[[nodiscard]] absl::Status CheckSendable(const Metadata& metadata);

}  // namespace engram::net::internal
