#include "engram/routing/look_up_line.h"

namespace engram::routing {

bool LookUpLine::Helps(const Kept& kept, const RouteVersion& known, TimePoint now) const {
  if (now >= kept.until) return false;
  return !kept.answer.claim.has_value() || !nodes_.Newer(known, kept.answer.claim->version);
}

bool LookUpLine::Join(std::string_view space, const RouteVersion& known, TimePoint now, Done done) {
  auto kept = kept_.find(space);
  if (kept != kept_.end() && Helps(kept->second, known, now)) {
    done(LookUp(kept->second.answer));
    return false;
  }
  auto [line, first] = waiting_.try_emplace(space);
  line->second.push_back(std::move(done));
  return first;
}

void LookUpLine::End(std::string_view space, const LookUp& answer, TimePoint now) {
  if (kept_.size() >= kKeptMax) kept_.clear();
  kept_.insert_or_assign(space, Kept{answer, now + kKeep});
  auto line = waiting_.extract(space);
  if (line.empty()) return;
  for (Done& done : line.mapped()) done(answer);
}

}  // namespace engram::routing
