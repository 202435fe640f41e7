// Cuts gRPC's length-prefixed messages out of a byte stream: one byte "compressed", four bytes
// length (big endian), body. A compressed body is handed over as it is: see gzip.h.
//
// A pure machine: fed with whatever arrived, it stops after each message. Each body byte is copied
// once, into a string of the announced length, which is set aside step by step: what a peer only
// announces costs little. A body of more than 16 KiB moves as it grows, once or twice
// for 1 MiB. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace engram::net::internal {

inline constexpr size_t kMessagePrefixBytes = 5;

class MessageReader {
 public:
  enum class State : uint8_t {
    kPrefix,
    kBody,
    kComplete,    // Take() it before feeding more
    kTooLarge,    // final: more than message_bytes_max announced, see announced()
    kCompressed,  // final: the flag is set without AllowCompressed()
    kBadFlag,     // final: neither 0 nor 1
  };

  explicit MessageReader(size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  // From now on messages may be compressed.
  void AllowCompressed() { compressed_allowed_ = true; }

  // Takes bytes up to the end of the message and returns how many. REQUIRES: kPrefix or kBody.
  size_t Feed(std::span<const uint8_t> bytes);
  // The message. REQUIRES: kComplete.
  std::string Take();

  // Frees the message under way, which nobody wants any more. The state stays for who asks how it
  // came to that; nothing may be fed or taken.
  void Drop() { std::string().swap(message_); }

  State state() const { return state_; }
  bool failed() const { return state_ > State::kComplete; }
  // The flag of the message under way, complete or just taken.
  bool compressed() const { return prefix_[0] != 0; }
  // True between messages: the stream may end here.
  bool at_boundary() const { return state_ == State::kPrefix && prefix_size_ == 0; }
  // Length of the message under way, without the prefix.
  size_t announced() const { return announced_; }
  size_t message_bytes_max() const { return message_bytes_max_; }
  // Bytes of the message under way that are held. Not the memory set aside for it: by announcing
  // much and sending nothing a peer would otherwise use up everybody's share.
  size_t held_bytes() const { return state_ < State::kBody ? 0 : message_.size(); }
  // Bytes of the message under way that have been fed, prefix included.
  size_t partial_bytes() const { return prefix_size_ + message_.size(); }

 private:
  size_t FeedPrefix(std::span<const uint8_t> bytes);
  void EndPrefix();
  void ReserveFor(size_t bytes);

  const size_t message_bytes_max_;
  std::string message_;
  size_t announced_ = 0;
  std::array<uint8_t, kMessagePrefixBytes> prefix_{};
  uint8_t prefix_size_ = 0;
  bool compressed_allowed_ = false;
  State state_ = State::kPrefix;
};

}  // namespace engram::net::internal
