#include "engram/net/message_reader.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace engram::net::internal {

size_t MessageReader::Feed(std::span<const uint8_t> bytes) {
  assert(state_ == State::kPrefix || state_ == State::kBody);
  size_t used = 0;
  if (state_ == State::kPrefix) used = FeedPrefix(bytes);
  if (state_ != State::kBody) return used;
  const size_t n = std::min(bytes.size() - used, announced_ - message_.size());
  ReserveFor(message_.size() + n);
  message_.append(reinterpret_cast<const char*>(bytes.data()) + used, n);
  if (message_.size() == announced_) state_ = State::kComplete;
  return used + n;
}

void MessageReader::ReserveFor(size_t bytes) {
  constexpr size_t kFirstBytes = 16u << 10;
  constexpr size_t kGrowth = 8;
  if (bytes <= message_.capacity()) return;
  const size_t step = std::max(kFirstBytes, kGrowth * message_.size());
  message_.reserve(std::min(announced_, std::max(bytes, step)));
}

size_t MessageReader::FeedPrefix(std::span<const uint8_t> bytes) {
  const size_t n = std::min(bytes.size(), kMessagePrefixBytes - prefix_size_);
  std::copy_n(bytes.begin(), n, prefix_.begin() + prefix_size_);
  prefix_size_ += static_cast<uint8_t>(n);
  if (prefix_size_ == kMessagePrefixBytes) EndPrefix();
  return n;
}

void MessageReader::EndPrefix() {
  announced_ = size_t{prefix_[1]} << 24 | size_t{prefix_[2]} << 16 | size_t{prefix_[3]} << 8 |
               size_t{prefix_[4]};
  if (announced_ > message_bytes_max_) {
    state_ = State::kTooLarge;
  } else if (prefix_[0] > 1) {
    state_ = State::kBadFlag;
  } else if (compressed() && !compressed_allowed_) {
    state_ = State::kCompressed;
  } else {
    state_ = State::kBody;
  }
}

std::string MessageReader::Take() {
  assert(state_ == State::kComplete);
  state_ = State::kPrefix;
  prefix_size_ = 0;
  return std::exchange(message_, {});
}

}  // namespace engram::net::internal
