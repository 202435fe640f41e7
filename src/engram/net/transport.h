// A connected socket, plain or with TLS, without a protocol: brings received bytes in, takes bytes
// to send out, one write per wake-up.
//
// Held by shared_ptr: the waits on the socket and the loop's flush list keep it alive, so that it
// can be closed from within its own call-backs. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engram/net/event_loop.h"
#include "engram/net/socket_io.h"

namespace engram::net::internal {

class Transport : public std::enable_shared_from_this<Transport> {
 public:
  // A server stops reading while its peer does not read: what it still receives would only make
  // more output. A client must go on, or the two would wait for each other.
  enum class WhenBlocked : uint8_t { kStopReading, kKeepReading };

  Transport(EventLoop& loop, SocketIo io, WhenBlocked when_blocked);
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  EventLoop& loop() const { return loop_; }
  bool closed() const { return closed_; }

  // Begins to read.
  void Open();
  // There is something to send: asks to be flushed after the handlers of this wake-up.
  void FlushSoon();
  // Closes the socket and calls OnClosed(); what is unsent is lost. Later calls do nothing.
  void Close(std::string_view reason);

 protected:
  // Enough for one write; a transport with more to send lets the others of its loop go first.
  static constexpr size_t kFlushBytes = 256u << 10;

  // Takes received bytes.
  virtual void OnBytes(const uint8_t* data, size_t size) = 0;
  // Appends up to about kFlushBytes to `out`. False: there is no more at present.
  virtual bool FillOutput(std::string& out) = 0;
  // A peer that was too slow has taken some more.
  virtual void OnTaken() = 0;
  // Everything so far has been handed to the socket.
  virtual void OnFlushed() = 0;
  // Called exactly once, at the end of a transport that was opened.
  virtual void OnClosed(std::string_view reason) = 0;

 private:
  friend class LoopIo;

  bool MayRead() const;
  // Reads on: soon if there is more already, else when the socket is readable.
  void ContinueReading();
  void ReceiveSoon();
  void Receive();
  // Reads until nothing is left or the others of the loop have their turn.
  void ReceiveBatch();
  // A part of a batch of calls has been taken: learns how long the next should be.
  void EndPart(uint64_t messages);
  void Flush();
  // The rest of unsent_ waits for the socket.
  void AwaitWritable();
  void ContinueWriting();
  // Sends from `offset` on and returns how far it came; closes on errors.
  size_t Write(std::string_view bytes, size_t offset);
  // What ended a read or write that was neither done nor blocked.
  void CloseAfter(IoResult::State state);

  EventLoop& loop_;
  SocketIo io_;
  std::string unsent_;  // what the socket did not take
  size_t unsent_offset_ = 0;
  const WhenBlocked when_blocked_;
  size_t part_bytes_ = 1024;  // what is taken of a batch at a time
  bool closed_ = false;
  bool flush_requested_ = false;
  bool blocked_ = false;
  bool reading_ = false;  // waits for the socket
  bool receive_posted_ = false;
  bool drained_ = true;         // the last read found nothing more
  bool more_expected_ = false;  // a part of a batch was taken, the rest comes after its answers
  // TLS only, and mostly in the handshake: a write waits for something to read, or the reverse.
  bool write_wants_readable_ = false;
  bool read_wants_writable_ = false;
};

}  // namespace engram::net::internal
