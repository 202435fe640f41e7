// A connection's socket whose other end is held by a fuzzer: what it is fed arrives, what the
// connection sends is dropped or left to pile up.
//
// A socket pair, no network, and a loop that runs on the calling thread: the same input always does
// the same. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engram/net/event_loop.h"
#include "engram/net/socket_io.h"

namespace engram::fuzz {

class FedSocket {
 public:
  enum class Reader : uint8_t { kReads, kNeverReads };

  // `loop` is not started; it outlives this.
  FedSocket(net::EventLoop& loop, Reader reader);
  ~FedSocket();
  FedSocket(const FedSocket&) = delete;
  FedSocket& operator=(const FedSocket&) = delete;

  // The connection's end. Once.
  net::internal::SocketIo Take();
  // Lets `bytes` arrive in pieces of `piece` bytes, and runs what follows of each. Ends early when
  // the connection does not take any more.
  void Feed(std::span<const uint8_t> bytes, size_t piece);
  // The peer is gone; runs what follows.
  void Hangup();

 private:
  void Run();
  bool FeedPiece(std::span<const uint8_t> bytes);

  net::EventLoop& loop_;
  const Reader reader_;
  int connection_end_ = -1;
  int fuzzer_end_ = -1;
};

// How an input's first byte says what is done with the rest.
struct Mode {
  explicit Mode(uint8_t byte)
      : polite((byte & 1) != 0),
        reader((byte & 2) != 0 ? FedSocket::Reader::kNeverReads : FedSocket::Reader::kReads),
        piece(kPieces[(byte >> 2) & 3]) {}

  static constexpr size_t kPieces[] = {1u << 20, 1, 9, 100};

  bool polite;  // begins as HTTP/2 demands: the input follows the preface
  FedSocket::Reader reader;
  size_t piece;
};

}  // namespace engram::fuzz
