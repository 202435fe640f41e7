// Asks single nodes and tells what came of it as history.h wants it told: what the answer said of
// itself (who served it, whether it is flagged, by which way it came) included, also of errors.
//
// Thread-safe; calls block until the answer or the deadline. Threads begun by it live in the
// network in which it was made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engram/net/channel.h"
#include "engram/net/event_loop.h"
#include "support/history.h"

namespace engram::testing {

// From which holder a get is answered.
enum class ReadFrom : uint8_t { kAsConfigured, kAskedNode };

class Asker {
 public:
  struct Node {
    std::string id;
    std::string address;
  };
  explicit Asker(const std::vector<Node>& nodes);
  ~Asker();
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  size_t size() const { return nodes_.size(); }

  struct Question {
    size_t entry = 0;
    Duration timeout{};
    ReadFrom from = ReadFrom::kAsConfigured;
    bool first_try = true;  // of this request id
  };
  // Fills in what came of `op`, of which kind, client, request, space, id, ack, token, and the
  // value of a store are given.
  Operation Ask(Operation op, const Question& question);

 private:
  net::CallResult Call(size_t entry, const std::string& method, net::CallOptions call,
                       const std::string& request);

  const std::vector<Node> nodes_;
  net::EventLoop loop_;
  std::vector<std::shared_ptr<net::Channel>> channels_;  // used on the loop
};

}  // namespace engram::testing
