#include "support/crowd.h"

#include <gtest/gtest.h>

#include <future>
#include <utility>

#include "engram/base/error.h"
#include "support/process.h"

namespace engram::testing {
namespace {

// Clients that share a connection.
constexpr size_t kPerConnection = 8;

std::string Describe(const net::CallResult& result) {
  if (!result.status.ok()) return std::string(InfoOf(CodeOf(result.status)).name);
  return "served by " + std::string(result.trailing.Find("engram-served-by").value_or("nobody"));
}

}  // namespace

Crowd::Crowd(const std::string& address, CrowdOptions options) : options_(std::move(options)) {
  loop_.Start();
  OnLoopAndWait([&] {
    for (size_t i = 0; i < static_cast<size_t>(options_.clients); ++i) {
      auto channel = i % kPerConnection == 0 ? net::Channel::Create(loop_, address, {})
                                             : clients_.back().channel;
      clients_.push_back({std::move(channel), std::make_unique<net::EventLoop::Timer>(loop_)});
    }
    for (size_t i = 0; i < clients_.size(); ++i) Ask(i);
  });
}

Crowd::~Crowd() {
  OnLoopAndWait([this] {
    stopping_ = true;
    for (Client& client : clients_) client.channel->Close();
    clients_.clear();
  });
  loop_.Stop();
}

void Crowd::Stop() {
  OnLoopAndWait([this] { stopping_ = true; });
  EXPECT_TRUE(Eventually([this] {
    const std::scoped_lock lock(mutex_);
    return in_flight_ == 0;
  })) << "requests hang";
}

void Crowd::Ask(size_t client) {
  if (stopping_) return;
  {
    const std::scoped_lock lock(mutex_);
    ++in_flight_;
  }
  net::CallOptions call{net::EventLoop::Now() + options_.timeout, {}};
  clients_[client].channel->Unary(
      "/engram.v1.MemoryService/" + options_.method, std::move(call), options_.request(asked_++),
      [this, client](const net::CallResult& result) { OnAnswer(client, result); });
}

void Crowd::OnAnswer(size_t client, const net::CallResult& result) {
  {
    const std::scoped_lock lock(mutex_);
    --in_flight_;
    ++answers_[Describe(result)];
  }
  if (stopping_) return;
  clients_[client].timer->RunAt(net::EventLoop::Now() + options_.pause,
                                [this, client] { Ask(client); });
}

std::map<std::string, uint64_t> Crowd::Answers() const {
  const std::scoped_lock lock(mutex_);
  return answers_;
}

uint64_t Crowd::answered() const {
  uint64_t sum = 0;
  for (const auto& [how, times] : Answers()) sum += times;
  return sum;
}

void Crowd::OnLoopAndWait(const std::function<void()>& action) {
  std::promise<void> done;
  loop_.Post([&] {
    action();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace engram::testing
