// What the header lists of requests and of replies are taken to mean.
//
// Input: lines "name: value"; an empty line ends a list. The bytes are given to both machines.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engram/net/request_head.h"
#include "engram/net/response_head.h"

namespace engram::fuzz {
namespace {

namespace internal = net::internal;

constexpr size_t kHeaderBytesMax = 4096;
constexpr size_t kMetadataBytesMax = 1024;

size_t BytesOf(const net::Metadata& metadata) {
  size_t bytes = 0;
  for (const net::MetadataEntry& entry : metadata.entries()) {
    bytes += entry.name.size() + entry.value.size();
  }
  return bytes;
}

struct Line {
  std::string_view name;
  std::string_view value;
};

Line TakeLine(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(line.size() + (line.size() < text.size() ? 1 : 0));
  const size_t colon = line.find(": ");
  if (colon == std::string_view::npos) return {line, ""};
  return {line.substr(0, colon), line.substr(colon + 2)};
}

void ReadRequest(std::string_view text) {
  static internal::MethodTable* const kMethods = [] {
    auto* methods = new internal::MethodTable;
    methods->Add("/m", nullptr, [](net::ServerCall) {});
    return methods;
  }();
  internal::RequestHead head(*kMethods, {kHeaderBytesMax, kMetadataBytesMax});
  while (!text.empty()) {
    const Line line = TakeLine(text);
    head.Add(line.name, line.value);
  }
  if (head.HttpStatus() != 200) return;
  if (head.Verdict().ok() && head.method() == nullptr) std::abort();
  if (head.Verdict().ok() == head.too_large() && head.too_large()) std::abort();
  // A list of binary values repeats its name for each: "a-bin: ,,," is many entries.
  if (BytesOf(head.metadata()) > kHeaderBytesMax * kMetadataBytesMax) std::abort();
}

void ReadReply(std::string_view text) {
  internal::ResponseHead head(kHeaderBytesMax);
  while (!text.empty()) {
    const Line line = TakeLine(text);
    if (line.name.empty()) {
      head.EndList();
    } else {
      head.Add(line.name, line.value);
    }
  }
  head.EndList();
  if (head.too_large() && head.Status().ok()) std::abort();
  if (head.Status().ok() && !head.has_grpc_status()) std::abort();
  head.TakeInitial();
  head.TakeTrailing();
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  engram::fuzz::ReadRequest(text);
  engram::fuzz::ReadReply(text);
  return 0;
}
