// Probes that this node makes for others (the helper's side of an indirect probe).
//
// Owned by Swim. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engram/membership/member.h"

namespace engram::membership {

// Who asked, and by which number it knows its probe.
struct Relay {
  std::string reply_to;
  NodeId asked_by;
  uint32_t asked_as = 0;
  NodeId target;
  TimePoint nack_at;
};

class Relays {
 public:
  static constexpr size_t kRelaysMax = 1'024;

  // `sequence`: of the ping that goes to the target. False: there are too many already.
  bool Add(uint32_t sequence, Relay relay);
  // The one that this answers, which is then over; nullopt if there is none, or it is over.
  std::optional<Relay> OnAck(uint32_t sequence, const NodeId& sender);
  // Those whose target has not answered in time; they are over.
  std::vector<Relay> TakeDue(TimePoint now);
  TimePoint NextDue() const;
  void Clear() { relays_.clear(); }

 private:
  std::map<uint32_t, Relay> relays_;
};

}  // namespace engram::membership
