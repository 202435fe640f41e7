#include "engram/routing/look_up_line.h"

namespace engram::routing {

bool LookUpLine::Helps(const Kept& kept, const Wanted& wanted, TimePoint now) const {
  if (now - kept.at >= wanted.age_max) return false;
  return !kept.answer.claim.has_value() || !nodes_.Newer(wanted.known, kept.answer.claim->version);
}

bool LookUpLine::Join(std::string_view space, const Wanted& wanted, TimePoint now, Done done) {
  auto kept = kept_.find(space);
  if (kept != kept_.end() && Helps(kept->second, wanted, now)) {
    done(LookUp(kept->second.answer));
    return false;
  }
  auto [line, first] = waiting_.try_emplace(space);
  line->second.push_back(std::move(done));
  return first;
}

void LookUpLine::End(std::string_view space, const LookUp& answer, TimePoint now) {
  if (kept_.size() >= kKeptMax) kept_.clear();
  kept_.insert_or_assign(space, Kept{answer, now});
  auto line = waiting_.extract(space);
  if (line.empty()) return;
  for (Done& done : line.mapped()) done(answer);
}

}  // namespace engram::routing
