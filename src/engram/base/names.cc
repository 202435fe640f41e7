#include "engram/base/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "engram/base/error.h"

namespace engram {
namespace {

bool IsLowerDigitPunct(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool IsIdChar(char c) { return IsLowerDigitPunct(c) || (c >= 'A' && c <= 'Z') || c == ':'; }

std::string Quoted(char c) {
  if (c > ' ' && c < 0x7f) return fmt::format("'{}'", c);
  return c == ' ' ? "a space" : fmt::format("the byte 0x{:02x}", static_cast<unsigned char>(c));
}

absl::Status Check(std::string_view field, std::string_view name, size_t bytes_max,
                   std::string_view alphabet, bool (*allowed)(char)) {
  if (name.empty()) return InvalidArgument(field, fmt::format("{} must not be empty", field));
  if (name.size() > bytes_max) {
    return InvalidArgument(
        field, fmt::format("{} has {} bytes, the limit is {}", field, name.size(), bytes_max));
  }
  auto bad = std::find_if_not(name.begin(), name.end(), allowed);
  if (bad == name.end()) return absl::OkStatus();
  return InvalidArgument(field, fmt::format("{} may hold only {}, not {} at {}", field, alphabet,
                                            Quoted(*bad), bad - name.begin()));
}

}  // namespace

absl::Status CheckSpaceName(std::string_view field, std::string_view name) {
  return Check(field, name, kSpaceNameBytesMax, "[a-z0-9._-]", IsLowerDigitPunct);
}

absl::Status CheckMemoryId(std::string_view field, std::string_view id) {
  return Check(field, id, kMemoryIdBytesMax, "[A-Za-z0-9._:-]", IsIdChar);
}

absl::Status CheckNodeId(std::string_view field, std::string_view id) {
  return Check(field, id, kNodeIdBytesMax, "[a-z0-9._-]", IsLowerDigitPunct);
}

}  // namespace engram
