// Swim: whom to send to, and what rides along.
#include <algorithm>
#include <numeric>
#include <utility>

#include "engram/membership/swim.h"

namespace engram::membership {

void Swim::SendTo(const NodeId& to, const std::string& address, const Message& message) {
  std::string datagram = BeginDatagram(self_.id, message);
  if (introduce_) datagram += EncodeUpdate(UpdateOf(*table_.Find(self_.id)));
  std::string_view told;
  const Member* member = options_.buddy_notice ? table_.Find(to) : nullptr;
  if (member != nullptr && member->standing.state != MemberState::kAlive) {
    datagram += EncodeUpdate(UpdateOf(*member));
    told = member->id.view();
  }
  queue_.Fill(datagram, options_.datagram_bytes_max,
              RetransmitsMax(options_.retransmit_multiplier, table_.live()), told);
  AppendRider(datagram);
  SealDatagram(datagram, self_.cluster);
  ++counters_.sent;
  counters_.sent_bytes += datagram.size();
  outputs_.emplace_back(Send{address, std::move(datagram)});
}

void Swim::AppendRider(std::string& datagram) {
  if (rider_ == nullptr || !rider_->HasNews()) return;
  const size_t without = datagram.size();
  datagram.push_back(kRiderFollows);
  rider_->Fill(datagram, options_.datagram_bytes_max, table_.live());
  if (datagram.size() == without + 1) datagram.resize(without);
}

void Swim::HearRider(std::string_view news, TimePoint now) {
  if (rider_ == nullptr || news.empty()) return;
  if (!rider_->Hear(news).ok()) ++counters_.datagrams[static_cast<size_t>(Verdict::kGarbled)];
  SpreadRider(now);
}

void Swim::SpreadRider(TimePoint now) {
  if (gossip_at_ == kNever && HasNews()) gossip_at_ = now + UpTo(options_.gossip_period);
  wake_ = NextWake();
}

std::vector<const Member*> Swim::Pick(size_t count, absl::FunctionRef<bool(const Member&)> wanted) {
  const std::vector<const Member*>& all = table_.everybody();
  std::vector<uint32_t> order(all.size());
  std::iota(order.begin(), order.end(), 0U);
  std::vector<const Member*> picked;
  for (size_t i = 0; i < order.size() && picked.size() < count; ++i) {
    std::uniform_int_distribution<size_t> rest(i, order.size() - 1);
    std::swap(order[i], order[rest(random_)]);
    const Member* member = all[order[i]];
    if (member->id != self_.id && wanted(*member)) picked.push_back(member);
  }
  return picked;
}

Duration Swim::UpTo(Duration max) {
  return Duration(std::uniform_int_distribution<Duration::rep>(0, max.count())(random_));
}

}  // namespace engram::membership
