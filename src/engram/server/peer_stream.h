// One long-lived gRPC stream to another node over which requests are passed on
// (PeerService.PassOn): the sender's end.
//
// A call of its own costs a request two lists of headers each way, packed, unpacked and checked on
// both sides; here it costs a message. It takes requests only while it is up, which it is once the
// peer has greeted it, so whatever concerns connecting, refusing and peers that do not know the
// method is left to calls of their own.
//
// Delivery: when the peer ends the stream in good order it has not begun what it has not answered
// (kNotSent); any other end leaves that open (kUndetermined).
//
// Belongs to one loop; shared by who passes on and by the stream's call-backs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "engram/base/strong_id.h"
#include "engram/net/channel.h"
#include "engram/net/deadline_timer.h"
#include "engram/net/event_loop.h"
#include "engram/peer/v1/peer.pb.h"
#include "engram/placement/assignment.h"

namespace engram::server {

// What became of a request that was passed on.
struct PassedResult {
  absl::Status status;
  net::Delivery delivery = net::Delivery::kAnswered;
  std::string message;  // the reply
  std::string request;  // the request's bytes, given back
  NodeId served_by;     // who answered; empty if nobody did
  bool degraded = false;
  std::optional<uint64_t> staleness_ms;
  std::string seen;                                 // as HeldAnswer's
  bool too_large = false;                           // for a stream: pass it on by a call of its own
  std::optional<placement::Assignment> assignment;  // what the peer knows better
};

class PeerStream : public std::enable_shared_from_this<PeerStream> {
 public:
  using Done = absl::AnyInvocable<void(PassedResult)>;

  // More would hold up the others of the stream.
  static constexpr size_t kRequestBytesMax = 16u << 10;
  static constexpr size_t kInFlightMax = 1'000;
  // After so many requests without a reply that any of them waited for, the stream is taken to be
  // stuck, whatever the connection does.
  static constexpr int kUnansweredMax = 16;

  struct Options {
    std::string cluster;
    // An unused one is given up, lest it keep connections from being idle.
    Duration idle_max = std::chrono::seconds(30);
    // So long after its end another one may be tried.
    Duration reopen_pause = std::chrono::seconds(1);
    // The same for a peer that does not know the method.
    Duration unknown_pause = std::chrono::minutes(1);
  };

  // REQUIRES: `channel` is of `loop`.
  static std::shared_ptr<PeerStream> Open(net::EventLoop& loop,
                                          const std::shared_ptr<net::Channel>& channel,
                                          const Options& options);
  PeerStream(net::EventLoop& loop, const Options& options);
  PeerStream(const PeerStream&) = delete;
  PeerStream& operator=(const PeerStream&) = delete;

  // Whether a request of so many bytes may go this way now.
  bool Takes(size_t bytes);
  // It takes nothing any more.
  bool closed() const { return closed_; }
  // And has not for long enough for another to be tried.
  bool ReplaceableAt(TimePoint now) const { return closed_ && now >= reopen_at_; }
  // The peer has ended it too: nothing is under way.
  bool over() const { return over_; }
  // It is over, and so is its channel.
  bool Abandoned() const { return over_ && channel_.expired(); }
  // `channel` is the one it was opened on, not one that took its address.
  bool IsOn(const std::shared_ptr<net::Channel>& channel) const;

  // Sends it; `head` has neither number nor time-out yet. `done` is called exactly once, never from
  // within. Returns the request's number. REQUIRES: Takes(body.size()).
  uint64_t Pass(peer::v1::PassedRequest& head, std::string body, TimePoint deadline, Done done);
  // Its `done` gets CANCELLED, unless it has been called.
  void Cancel(uint64_t number);
  // The request's bytes, while it is under way.
  std::optional<std::string> CopyRequest(uint64_t number) const;

 private:
  struct UnderWay {
    std::string request;
    TimePoint deadline;
    Done done;
  };
  using Requests = absl::flat_hash_map<uint64_t, UnderWay>;

  void Greeted(const net::Metadata& metadata);
  void ReadOn();
  void OnReply(const std::string& message);
  void OnEnd(const net::CallResult& end);
  // Ends one that is under way with what is no reply of the peer's; posted, so that its `done` is
  // not called from within. Until then it is still under way, and its bytes can be had.
  void EndSoon(uint64_t number, absl::Status status);
  void End(uint64_t number, PassedResult result);
  // Takes nothing any more; what is under way goes on.
  void Close(Duration pause);
  void Expire(TimePoint now);
  void WatchIdle();
  void CloseIfIdle();

  net::EventLoop& loop_;
  const Duration idle_max_;
  const Duration reopen_pause_;
  const Duration unknown_pause_;
  std::weak_ptr<net::Channel> channel_;
  std::unique_ptr<net::Channel::Stream> stream_;
  Requests under_way_;
  net::DeadlineTimer deadlines_;
  net::EventLoop::Timer idle_timer_;
  peer::v1::PassedReply reply_;  // the last one; kept for its memory
  NodeId peer_;
  uint64_t last_number_ = 0;
  uint64_t number_at_last_look_ = 0;  // of WatchIdle()
  int unanswered_ = 0;                // requests whose deadline passed since the last reply
  bool up_ = false;                   // greeted
  bool writable_ = true;
  bool closed_ = false;  // by either side
  bool over_ = false;
  TimePoint reopen_at_;
};

}  // namespace engram::server
