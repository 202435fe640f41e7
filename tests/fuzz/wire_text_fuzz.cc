// The small texts in headers: grpc-timeout, percent-encoding, base64 of "-bin" values, binary
// metadata.
//
// Input: one such text, or the bytes to encode as one.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engram/net/grpc_status.h"
#include "engram/net/grpc_timeout.h"
#include "engram/net/metadata_wire.h"

namespace engram::fuzz {
namespace {

namespace internal = net::internal;

void Timeout(std::string_view text) {
  const std::optional<Duration> timeout = internal::ParseTimeout(text);
  if (!timeout.has_value()) return;
  if (*timeout < Duration::zero()) std::abort();
  const TimePoint now = TimePoint(std::chrono::hours(1'000'000));
  if (internal::DeadlineAfter(now, *timeout) < now) std::abort();
  // What we would send is understood again, and is no shorter.
  const internal::TimeoutText sent(*timeout);
  const std::optional<Duration> again = internal::ParseTimeout(sent.view());
  if (!again.has_value() || *again < *timeout) std::abort();
}

void Percent(std::string_view text) {
  net::PercentDecode(text);
  if (net::PercentDecode(net::PercentEncode(text)) != text) std::abort();
}

void Base64(std::string_view text) {
  std::string decoded;
  if (internal::DecodeBinary(text, decoded) && decoded.size() > text.size()) std::abort();
  std::string again;
  if (!internal::DecodeBinary(internal::EncodeBinary(text), again) || again != text) std::abort();
  net::Metadata metadata;
  if (internal::AddReceived("a-bin", text, metadata) && metadata.empty()) std::abort();
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  engram::fuzz::Timeout(text);
  engram::fuzz::Percent(text);
  engram::fuzz::Base64(text);
  return 0;
}
