// The peek at a request's space and id, which is taken before anybody knows whether the request is
// one.
//
// Input: the request's bytes. What the parser accepts, the peek sees in the same way; what the peek
// returns lies within.
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <cstdlib>

#include "engram/server/peek.h"
#include "engram/v1/memory.pb.h"

namespace engram::fuzz {
namespace {

void CheckWithin(std::string_view message, std::optional<std::string_view> field) {
  if (!field.has_value() || field->empty()) return;
  if (field->data() < message.data()) std::abort();
  if (field->data() + field->size() > message.data() + message.size()) std::abort();
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer kQuiet;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const auto space = engram::server::PeekSpace(message);
  const auto id = engram::server::PeekId(message);
  engram::fuzz::CheckWithin(message, space);
  engram::fuzz::CheckWithin(message, id);
  engram::v1::GetRequest parsed;
  if (!parsed.ParseFromArray(data, static_cast<int>(size))) return 0;
  if (space != parsed.space() || id != parsed.id()) std::abort();
  return 0;
}
