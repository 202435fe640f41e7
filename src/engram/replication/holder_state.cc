#include "engram/replication/holder_state.h"

#include "absl/base/macros.h"
#include "engram/base/planted.h"

namespace engram::replication {

void HolderState::Promise(uint64_t counter, const NodeId& collector) {
  ABSL_HARDENING_ASSERT(MayPromise(counter));
  promised_ = counter;
  promised_to_ = collector;
}

void HolderState::Follow(const Epoch& epoch) {
  ABSL_HARDENING_ASSERT(Accepts(epoch));
  epoch_ = epoch;
  if (epoch.counter == promised_) return;
  promised_ = epoch.counter;
  promised_to_ = NodeId();
}

bool HolderState::MayTakeOffice(uint64_t counter, const NodeId& collector) const {
  if (IsPlanted(Bug::kOfficeUnchecked)) return epoch_.counter < counter;
  return counter == promised_ && collector == promised_to_ && epoch_.counter < counter;
}

void HolderState::TakeOffice(const NodeId& self) {
  ABSL_HARDENING_ASSERT(MayTakeOffice(promised_, promised_to_));
  epoch_ = {promised_, self};
}

}  // namespace engram::replication
