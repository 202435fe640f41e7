// A node as replication sees it, for tests: its loops, a server, its streams to others, over
// loopback sockets. What it hears is kept.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engram/base/mutex.h"
#include "engram/cluster/replication_links.h"
#include "engram/cluster/replication_service.h"
#include "engram/net/server.h"
#include "engram/net/testing/fixture.h"

namespace engram::cluster {

class ReplicationNode {
 public:
  struct Heard {
    NodeId from;
    SpaceMessage message;
  };

  struct Options {
    std::string cluster = "cluster";
    uint64_t life = 1;
    uint16_t port = 0;  // 0: one that is free
    ReplicationLinksOptions links;
  };

  explicit ReplicationNode(const std::string& name) : ReplicationNode(name, Options()) {}
  ReplicationNode(const std::string& name, Options options) : name_(name) {
    options.links.self = NodeId(name);
    options.links.life = options.life;
    directory_.SetClusterId(options.cluster);
    const ReplicationPorts ports{replication_.at(0), pool_, nodes_, directory_};
    links_ = std::make_unique<ReplicationLinks>(ports, options.links);
    links_->OnMessage(
        [this](const NodeId& from, const SpaceId& space, replication::ReplicaMessage message) {
          WriterLock lock(&mutex_);
          heard_.push_back({from, {space, std::move(message)}});
        });
    links_->OnRefused([this](const NodeId& node) {
      WriterLock lock(&mutex_);
      refused_.push_back(node);
    });
    service_ = std::make_unique<ReplicationService>(*links_);
    server_ = std::make_unique<net::Server>(serving_, ServerAt(options.port));
    service_->AddTo(*server_);
    replication_.Start();
    serving_.Start();
    const absl::Status started = server_->Start();
    EXPECT_TRUE(started.ok()) << started.ToString();
  }
  // As a crash does: nobody is told.
  ~ReplicationNode() {
    server_->Drain(TimePoint::min());
    pool_.Close();
    replication_.Stop();
    server_.reset();
    serving_.Stop();
  }

  uint16_t port() const { return server_->port(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  const NodeId& id() const { return name_; }

  void Knows(const NodeId& node, const std::string& address) {
    nodes_.SetAddress(nodes_.Intern(node), address);
  }
  void Knows(const ReplicationNode& other) { Knows(other.id(), other.address()); }

  void Send(const NodeId& to, std::vector<SpaceMessage> messages) {
    net::testing::RunOn(replication_.at(0), [&] {
      for (SpaceMessage& m : messages) links_->Send(to, m.space, std::move(m.message));
    });
  }
  // Until the condition holds; what is lost meanwhile is said again, as replication does.
  bool SendUntil(const NodeId& to, const SpaceMessage& message,
                 const std::function<bool()>& condition) {
    return net::testing::Eventually([&] {
      if (condition()) return true;
      Send(to, {message});
      return false;
    });
  }

  // Says goodbye and closes its port, but does not end.
  void Leave() {
    service_->Leave();
    server_->Drain(net::testing::In(net::testing::kPatience));
  }

  std::vector<Heard> heard() const {
    ReaderLock lock(&mutex_);
    return heard_;
  }
  size_t heard_count() const {
    ReaderLock lock(&mutex_);
    return heard_.size();
  }
  std::vector<NodeId> refused() const {
    ReaderLock lock(&mutex_);
    return refused_;
  }
  const ReplicationCounters& counters() const { return links_->counters(); }
  // Streams of others that this one serves.
  uint64_t calls_open() const {
    const net::Counters& counters = serving_.at(0).counters();
    return counters.calls_begun.value() - counters.calls_ended.value();
  }
  net::EventLoop& serving_loop() { return serving_.at(0); }
  net::EventLoop& loop() { return replication_.at(0); }

 private:
  static net::ServerOptions ServerAt(uint16_t port) {
    net::ServerOptions options;
    options.port = port;
    return options;
  }

  const NodeId name_;
  net::EventLoopGroup replication_{1};
  net::EventLoopGroup serving_{1};
  net::ConnectionPool pool_{replication_, ForReplication({}), 1};
  routing::NodeTable nodes_;
  Directory directory_{nodes_, nodes_.Intern(name_), ""};
  mutable Mutex mutex_;
  std::vector<Heard> heard_ ABSL_GUARDED_BY(mutex_);
  std::vector<NodeId> refused_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ReplicationLinks> links_;
  std::unique_ptr<ReplicationService> service_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace engram::cluster
