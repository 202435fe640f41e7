// The outgoing links of one space's memories, by id number. Owned by SpaceIndex; not thread-safe.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/memory/document_table.h"

namespace engram::memory {

struct OutLink {
  IdNumber to = 0;
  double weight = 0;
};

class LinkTable {
 public:
  // Adds the link or changes its weight.
  void Set(IdNumber from, OutLink link) {
    std::vector<OutLink>& links = links_[from];
    auto same = std::find_if(links.begin(), links.end(),
                             [&](const OutLink& other) { return other.to == link.to; });
    if (same == links.end()) {
      links.push_back(link);
    } else {
      same->weight = link.weight;
    }
  }

  void RemoveAll(IdNumber from) { links_.erase(from); }

  std::span<const OutLink> From(IdNumber from) const {
    auto found = links_.find(from);
    return found == links_.end() ? std::span<const OutLink>() : std::span(found->second);
  }

 private:
  absl::flat_hash_map<IdNumber, std::vector<OutLink>> links_;
};

}  // namespace engram::memory
