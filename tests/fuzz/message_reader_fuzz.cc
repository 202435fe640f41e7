// gRPC's length-prefixed messages: however the bytes are cut into pieces, the same messages come
// out.
//
// Input: a byte that says how large the pieces are, then the stream.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "engram/net/message_reader.h"

namespace engram::fuzz {
namespace {

using net::internal::MessageReader;

constexpr size_t kMessageBytesMax = 1000;

struct Outcome {
  std::vector<std::string> messages;
  MessageReader::State state;
  size_t partial;

  bool operator==(const Outcome&) const = default;
};

Outcome ReadInPieces(std::span<const uint8_t> bytes, size_t piece) {
  MessageReader reader(kMessageBytesMax);
  Outcome outcome{};
  while (!bytes.empty() && !reader.failed()) {
    const size_t used = reader.Feed(bytes.first(std::min(piece, bytes.size())));
    if (used == 0) std::abort();  // would go on for ever
    bytes = bytes.subspan(used);
    if (reader.state() == MessageReader::State::kComplete) {
      outcome.messages.push_back(reader.Take());
      if (outcome.messages.back().size() > kMessageBytesMax) std::abort();
    }
  }
  outcome.state = reader.state();
  outcome.partial = reader.partial_bytes();
  return outcome;
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  const auto whole = engram::fuzz::ReadInPieces(bytes, bytes.size() + 1);
  if (engram::fuzz::ReadInPieces(bytes, data[0] % 50 + 1) != whole) std::abort();
  return 0;
}
