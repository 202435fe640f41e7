// Many clients of one node at once, each of which asks one request after the other, until it is
// told to stop: one asynchronous client over a few connections.
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

struct CrowdOptions {
  int clients = 64;
  // Of engram.v1.MemoryService: "Get".
  std::string method;
  // The n-th request of all, serialized. Called on the crowd's thread.
  std::function<std::string(uint64_t n)> request;
  Duration timeout = std::chrono::seconds(30);
  // Of a client between an answer and its next request.
  Duration pause = std::chrono::milliseconds(5);
};

class Crowd {
 public:
  // Begins to ask the node at "host:port".
  Crowd(const std::string& address, CrowdOptions options);
  // Stops; what is in flight is cancelled.
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  // Asks nothing more and waits until everything is answered; fails the test if something is not.
  void Stop();

  // How often it was answered so: "served by node-2", or the error's name.
  std::map<std::string, uint64_t> Answers() const;
  uint64_t answered() const;

 private:
  struct Client {
    std::shared_ptr<net::Channel> channel;
    std::unique_ptr<net::EventLoop::Timer> timer;
  };

  void Ask(size_t client);
  void OnAnswer(size_t client, const net::CallResult& result);
  void OnLoopAndWait(const std::function<void()>& action);

  const CrowdOptions options_;
  net::EventLoop loop_;
  // The next three belong to the loop.
  std::vector<Client> clients_;
  uint64_t asked_ = 0;
  bool stopping_ = false;

  mutable std::mutex mutex_;  // guards the rest
  std::map<std::string, uint64_t> answers_;
  int in_flight_ = 0;
};

}  // namespace engram::testing
