#include "engram/net/metadata_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "engram/base/error.h"

namespace engram::net::internal {
namespace {

constexpr std::array<std::string_view, 9> kReserved = {
    "te",   "content-type",    "content-length",    "user-agent", "connection",
    "host", "accept-encoding", "transfer-encoding", "upgrade"};

// Every header of every call is looked at: a table costs a third of comparisons.
enum CharKind : uint8_t { kValueChar = 1, kNameChar = 2 };

constexpr std::array<uint8_t, 256> kCharKinds = [] {
  std::array<uint8_t, 256> kinds{};
  for (char c = ' '; c <= '~'; ++c) kinds[static_cast<uint8_t>(c)] = kValueChar;
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789_-.")) {
    kinds[static_cast<uint8_t>(c)] |= kNameChar;
  }
  return kinds;
}();

bool AreAll(CharKind kind, std::string_view text) {
  uint8_t common = kind;
  for (const char c : text) common &= kCharKinds[static_cast<uint8_t>(c)];
  return common != 0;
}

}  // namespace

bool IsReservedHeader(std::string_view name) {
  if (name.empty() || name[0] == ':' || name.starts_with("grpc-")) return true;
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

bool AddReceived(std::string_view name, std::string_view value, Metadata& metadata) {
  if (!IsBinaryHeader(name)) {
    metadata.Add(name, value);
    return true;
  }
  std::string decoded;
  for (;;) {
    const size_t comma = value.find(',');
    if (!DecodeBinary(value.substr(0, comma), decoded)) return false;
    metadata.Add(name, decoded);
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

std::string EncodeBinary(std::string_view value) {
  std::string text;
  absl::Base64Escape(absl::string_view(value.data(), value.size()), &text);
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return text;
}

bool DecodeBinary(std::string_view text, std::string& value) {
  return absl::Base64Unescape(absl::string_view(text.data(), text.size()), &value);
}

bool IsSendable(std::string_view name, std::string_view value) {
  if (IsReservedHeader(name) || !AreAll(kNameChar, name)) return false;
  return IsBinaryHeader(name) || AreAll(kValueChar, value);
}

absl::Status CheckSendable(const Metadata& metadata) {
  for (const MetadataEntry& entry : metadata.entries()) {
    if (IsSendable(entry.name, entry.value)) continue;
    return InvalidArgument("metadata",
                           fmt::format("the metadata \"{}\" cannot be sent: its name is not "
                                       "allowed or its value is not printable ASCII",
                                       entry.name));
  }
  return absl::OkStatus();
}

}  // namespace engram::net::internal
