#include "engram/net/endpoint.h"

#include <fmt/format.h>

#include <charconv>

#include "engram/base/error.h"

namespace engram::net {
namespace {

absl::Status NotAnEndpoint(std::string_view text) {
  return MakeError(ErrorCode::kInvalidEndpoint, fmt::format("\"{}\" is not a host:port", text));
}

}  // namespace

absl::StatusOr<Endpoint> ParseListenEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return NotAnEndpoint(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return NotAnEndpoint(text);
  }
  Endpoint endpoint{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (host.empty() || error != std::errc() || end != port.data() + port.size()) {
    return NotAnEndpoint(text);
  }
  return endpoint;
}

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text) {
  absl::StatusOr<Endpoint> endpoint = ParseListenEndpoint(text);
  if (endpoint.ok() && endpoint->port == 0) return NotAnEndpoint(text);
  return endpoint;
}

}  // namespace engram::net
