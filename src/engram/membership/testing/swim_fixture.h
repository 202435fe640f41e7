// Feeds a Swim by hand: what it hears, how time passes, and what it asked for.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engram/membership/swim.h"

namespace engram::membership {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline const TimePoint kStart{seconds(1000)};
inline const ClusterTag kCluster = TagOf("cluster");

inline MemberInfo InfoOf(const std::string& id) {
  return {id + ":7946", id + ":50051", "zone", "rack"};
}
inline Update Says(MemberState state, const std::string& id, uint64_t incarnation) {
  Update update{NodeId(id), {Incarnation{incarnation}, state}, std::nullopt, {}};
  if (state == MemberState::kAlive) update.info = InfoOf(id);
  return update;
}
inline Update Alive(const std::string& id, uint64_t incarnation = 1) {
  return Says(MemberState::kAlive, id, incarnation);
}
inline Update Dead(const std::string& id, uint64_t incarnation = 1) {
  return Says(MemberState::kDead, id, incarnation);
}
inline Update Left(const std::string& id, uint64_t incarnation = 1) {
  return Says(MemberState::kLeft, id, incarnation);
}
inline Update Suspect(const std::string& id, uint64_t incarnation,
                      const std::vector<std::string>& accusers) {
  Update update = Says(MemberState::kSuspect, id, incarnation);
  for (const std::string& accuser : accusers) update.accusers.emplace_back(accuser);
  return update;
}

inline std::string Sealed(const std::string& sender, const Message& message,
                          const std::vector<Update>& updates = {}, ClusterTag cluster = kCluster) {
  std::string datagram = BeginDatagram(NodeId(sender), message);
  for (const Update& update : updates) datagram += EncodeUpdate(update);
  SealDatagram(datagram, cluster);
  return datagram;
}

// A datagram that the machine sent, and to whom.
template <class M>
struct SentTo {
  std::string address;
  M message;
  std::vector<Update> updates;

  bool Carries(const Update& update) const {
    return std::find(updates.begin(), updates.end(), update) != updates.end();
  }
};

class SwimTest : public testing::Test {
 protected:
  // The node under test is "me", of incarnation 5.
  void Begin(const std::vector<std::string>& others, const SwimOptions& options = {}) {
    ASSERT_TRUE(Check(options).ok());
    swim_.emplace(Self{NodeId("me"), Incarnation{5}, InfoOf("me"), kCluster}, options, random_,
                  kStart);
    std::vector<Update> state;
    for (const std::string& id : others) state.push_back(Alive(id));
    ASSERT_TRUE(swim_->MergeFullState(Sealed("a", FullState{}, state), now_).ok());
    Forget();
  }

  void Hears(const std::string& sender, const Message& message,
             const std::vector<Update>& updates = {}) {
    swim_->OnDatagram(Sealed(sender, message, updates), sender + ":7946", now_);
    Collect();
  }
  // Lets time pass, with every timer in time.
  void Pass(Duration length) {
    const TimePoint end = now_ + length;
    while (swim_->NextWake() <= end) {
      now_ = std::max(now_, swim_->NextWake());
      swim_->Tick(now_);
      Collect();
    }
    now_ = end;
  }
  // Until the next probe goes out; what it is.
  SentTo<Ping> NextPing() {
    Forget();
    while (Sent<Ping>().empty()) Pass(milliseconds(10));
    return Sent<Ping>().back();
  }
  void Answers(const SentTo<Ping>& ping) {
    Hears(ping.message.target.value(), Ack{ping.message.sequence});
  }
  // `length`, with all probes answered but those of `silent`.
  void PassHealthy(Duration length, const std::string& silent = "") {
    for (const TimePoint end = now_ + length; now_ < end;) {
      const size_t before = outputs_.size();
      Pass(milliseconds(10));
      for (const SentTo<Ping>& ping : Sent<Ping>(before)) {
        if (ping.message.target.value() != silent) Answers(ping);
      }
    }
  }

  // Those among the outputs since Forget(), without the first `from` of them.
  template <class M>
  std::vector<SentTo<M>> Sent(size_t from = 0) const {
    std::vector<SentTo<M>> sent;
    for (const Swim::Send& send : Of<Swim::Send>(from)) {
      Datagram read;
      EXPECT_EQ(ReadDatagram(send.datagram, kCluster, read), Verdict::kRead);
      if (!std::holds_alternative<M>(read.message)) continue;
      sent.push_back({send.address, std::get<M>(read.message), read.updates});
    }
    return sent;
  }
  template <class T>
  std::vector<T> Of(size_t from = 0) const {
    std::vector<T> found;
    for (size_t i = from; i < outputs_.size(); ++i) {
      if (std::holds_alternative<T>(outputs_[i])) found.push_back(std::get<T>(outputs_[i]));
    }
    return found;
  }
  bool Noticed(Change change, const std::string& id) const {
    for (const Swim::Changed& changed : Of<Swim::Changed>()) {
      if (changed.change == change && changed.member.id.value() == id) return true;
    }
    return false;
  }
  MemberState StateOf(const std::string& id) const {
    return swim_->members().Find(NodeId(id))->standing.state;
  }
  void Forget() {
    swim_->TakeOutput();
    outputs_.clear();
  }
  void Collect() {
    for (Swim::Output& output : swim_->TakeOutput()) outputs_.push_back(std::move(output));
  }

  std::mt19937_64 random_{1};
  TimePoint now_ = kStart;
  std::optional<Swim> swim_;
  std::vector<Swim::Output> outputs_;
};

}  // namespace engram::membership
