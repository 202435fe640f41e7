// Requests to one node at a steady rate, whether or not it keeps up: what a closed loop of clients,
// which wait for their answers, cannot do to it.
//
// Used by one thread; it has one of its own for the connections.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engram/net/channel.h"
#include "engram/net/event_loop.h"

namespace engram::testing {

struct FloodOptions {
  // Of engram.v1.MemoryService: "Recall".
  std::string method;
  std::string request;  // serialized
  // Whether an answer is right.
  std::function<bool(const std::string& reply)> right;
  double rate = 1'000;  // requests a second
  Duration length = std::chrono::seconds(1);
  Duration timeout = std::chrono::seconds(60);  // of a request
};

struct FloodResult {
  uint64_t asked = 0;
  uint64_t right = 0;
  uint64_t right_in_time = 0;  // of these, before the flood's end
  uint64_t wrong = 0;
  uint64_t shed = 0;                         // as overloaded, with a time to come again
  std::map<std::string, uint64_t> failures;  // any others, by what they said
  std::vector<double> right_ms;              // how long the right answers took
};

class Flood {
 public:
  // Begins to ask the node at "host:port".
  Flood(const std::string& address, FloodOptions options);
  ~Flood();
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  // All has been asked and answered.
  bool Ended() const;
  // REQUIRES: Ended().
  FloodResult result() const;

 private:
  void Tick();
  void Ask(uint64_t number);
  void OnAnswer(TimePoint asked_at, const net::CallResult& result);
  void OnLoopAndWait(const std::function<void()>& action);

  const FloodOptions options_;
  net::EventLoop loop_;
  // The next four belong to the loop.
  std::vector<std::shared_ptr<net::Channel>> channels_;
  std::unique_ptr<net::EventLoop::Timer> timer_;
  TimePoint start_;
  uint64_t next_ = 0;

  mutable std::mutex mutex_;  // guards the rest
  bool all_asked_ = false;
  uint64_t answered_ = 0;
  FloodResult result_;
};

}  // namespace engram::testing
