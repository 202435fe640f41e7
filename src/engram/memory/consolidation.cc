#include "engram/memory/consolidation.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "engram/base/codec.h"
#include "engram/memory/limits.h"
#include "engram/memory/vector_math.h"

namespace engram::memory {
namespace {

using Metadata = std::map<std::string, std::string>;

std::string HashOf(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  std::string out;
  AppendBigEndian64(out, hash.high64);
  AppendBigEndian64(out, hash.low64);
  return out;
}

// --- what tells a merger that nobody has changed

struct Said {
  std::string_view content;
  std::span<const float> embedding;
  std::span<const std::string> tags;
  const Metadata& metadata;
  double confidence;
  WallMillis occurred_at;
};

std::string MarkOf(const Said& said) {
  Encoder out;
  out.Bytes(said.content);
  out.Floats(said.embedding);
  out.Varint(said.tags.size());
  for (const std::string& tag : said.tags) out.Bytes(tag);
  for (const auto& [key, value] : said.metadata) {
    if (key == kConsolidatedKey) continue;
    out.Bytes(key);
    out.Bytes(value);
  }
  out.Double(said.confidence);
  out.Signed(ToInt(said.occurred_at));
  return fmt::format("{:016x}", XXH3_64bits(out.data().data(), out.data().size()));
}

// --- which merger is which group's

struct Claim {
  size_t group = 0;
  size_t sources = 0;
};

using GroupOf = absl::flat_hash_map<MemoryId, size_t>;

std::optional<Claim> ClaimOf(const Merger& merger, const GroupOf& group_of) {
  std::map<size_t, size_t> counts;
  for (const MemoryId& source : merger.sources) {
    auto group = group_of.find(source);
    if (group != group_of.end()) ++counts[group->second];
  }
  std::optional<Claim> best;
  for (const auto& [group, sources] : counts) {
    if (!best.has_value() || sources > best->sources) best = Claim{group, sources};
  }
  return best;
}

MemoryId NewIdOf(const DuplicateGroup& group) {
  Encoder out;
  for (const GroupMember& member : group) out.Bytes(member.id.view());
  return MemoryId(fmt::format("consolidated-{}", Ulid::FromBytes(HashOf(out.data()))->ToString()));
}

struct Claimed {
  const Merger* merger;
  size_t sources;
  auto Order() const { return std::tuple(merger->unchanged, ~sources, merger->id.view()); }
};

MergeTask TaskFor(DuplicateGroup group, std::vector<Claimed> claims) {
  MergeTask task;
  task.group = std::move(group);
  if (claims.empty()) {
    task.id = NewIdOf(task.group);
    return task;
  }
  std::sort(claims.begin(), claims.end(),
            [](const Claimed& a, const Claimed& b) { return a.Order() < b.Order(); });
  task.id = claims.front().merger->id;
  task.taken_over = !claims.front().merger->unchanged;
  for (size_t i = 1; i < claims.size() && !task.taken_over; ++i) {
    task.superseded.push_back(claims[i].merger->id);
  }
  return task;
}

// --- what a merger says

const Memory& SpokesmanOf(std::span<const Memory> sources) {
  return *std::max_element(sources.begin(), sources.end(), [](const Memory& a, const Memory& b) {
    return std::tuple(a.confidence, a.occurred_at, b.id) <
           std::tuple(b.confidence, b.occurred_at, a.id);
  });
}

double NoisyOr(std::span<const Memory> sources) {
  double none = 1;
  for (const Memory& source : sources) none *= 1 - source.confidence;
  return 1 - none;
}

// Summed in the order of the ids, in double.
std::vector<float> MeanDirection(std::span<const Memory> sources, const Memory& spokesman) {
  std::vector<double> sum;
  for (const Memory& source : sources) {
    if (source.embedding.empty()) continue;
    if (sum.empty()) sum.resize(source.embedding.size());
    if (sum.size() != source.embedding.size()) continue;
    std::vector<float> unit;
    AppendNormalized(source.embedding, unit);
    for (size_t i = 0; i < unit.size(); ++i) sum[i] += static_cast<double>(unit[i]);
  }
  double square = 0;
  for (double value : sum) square += value * value;
  if (square < 1e-6) return spokesman.embedding;  // they cancel out; or there is none
  std::vector<float> mean;
  for (double value : sum) mean.push_back(static_cast<float>(value / std::sqrt(square)));
  return mean;
}

std::vector<std::string> TagsOf(std::span<const Memory> sources) {
  std::map<std::string, size_t> counts;
  for (const Memory& source : sources) {
    for (const std::string& tag : source.tags) ++counts[tag];
  }
  std::vector<std::pair<size_t, std::string>> by_count;
  for (const auto& [tag, count] : counts) by_count.emplace_back(sources.size() - count, tag);
  std::sort(by_count.begin(), by_count.end());
  by_count.resize(std::min(by_count.size(), kTagsMax));
  std::vector<std::string> tags;
  for (auto& [rank, tag] : by_count) tags.push_back(std::move(tag));
  std::sort(tags.begin(), tags.end());
  return tags;
}

// Leaves room for the mark.
Metadata SharedMetadata(std::span<const Memory> sources) {
  constexpr size_t kMarkBytes = kConsolidatedKey.size() + 16;
  Metadata shared;
  size_t bytes = kMarkBytes;
  for (const auto& entry : sources.front().metadata) {
    auto has = [&](const Memory& source) {
      auto found = source.metadata.find(entry.first);
      return found != source.metadata.end() && found->second == entry.second;
    };
    bytes += entry.first.size() + entry.second.size();
    const bool fits = entry.first != kConsolidatedKey && bytes <= kMetadataBytesMax;
    if (fits && std::all_of(sources.begin(), sources.end(), has)) shared.insert(entry);
  }
  return shared;
}

// Rounded, so that what a compiler does to the last bit of a sum does not show.
double WeightOf(double similarity) {
  return std::clamp(std::round(similarity * 1000) / 1000, 0.001, 1.0);
}

std::vector<Link> LinksOf(const MergeTask& task, std::span<const Memory> sources,
                          std::span<const Link> others) {
  std::vector<Link> links;
  auto member = task.group.begin();
  for (const Memory& source : sources) {
    while (member->id != source.id) ++member;
    links.push_back({source.id, WeightOf(member->similarity)});
  }
  const size_t room = kLinksMax - links.size();
  links.insert(links.end(), others.begin(),
               others.begin() + static_cast<ptrdiff_t>(std::min(room, others.size())));
  std::sort(links.begin(), links.end(), [](const Link& a, const Link& b) { return a.to < b.to; });
  return links;
}

RequestId DerivedId(const ChangeTime& time, Encoder what, const Version& replaced) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  what.Bytes(replaced.epoch.primary.view());
  what.Varint(replaced.epoch.counter);
  what.Varint(replaced.sequence);
  const int64_t grain = std::max<int64_t>(1, duration_cast<milliseconds>(time.grain).count());
  std::string bytes;
  AppendBigEndian64(bytes, static_cast<uint64_t>(ToInt(time.asked) / grain * grain) << 16);
  bytes.resize(6);
  bytes += HashOf(what.data()).substr(0, Ulid::kBinarySize - bytes.size());
  return *Ulid::FromBytes(bytes);
}

}  // namespace

bool IsMerger(const Memory& memory) {
  return memory.kind == Kind::kSemantic && memory.metadata.contains(std::string(kConsolidatedKey));
}

bool IsUnchangedMerger(const Memory& memory) {
  if (!IsMerger(memory) || !memory.siblings.empty()) return false;
  return memory.metadata.at(std::string(kConsolidatedKey)) ==
         MarkOf({memory.content, memory.embedding, memory.tags, memory.metadata, memory.confidence,
                 memory.occurred_at});
}

std::vector<MergeTask> AssignMergers(std::vector<DuplicateGroup> groups,
                                     std::span<const Merger> mergers) {
  GroupOf group_of;
  for (size_t i = 0; i < groups.size(); ++i) {
    for (const GroupMember& member : groups[i]) group_of[member.id] = i;
  }
  std::vector<std::vector<Claimed>> claims(groups.size());
  for (const Merger& merger : mergers) {
    if (auto claim = ClaimOf(merger, group_of)) {
      claims[claim->group].push_back({&merger, claim->sources});
    }
  }
  std::vector<MergeTask> tasks;
  for (size_t i = 0; i < groups.size(); ++i) {
    tasks.push_back(TaskFor(std::move(groups[i]), std::move(claims[i])));
  }
  return tasks;
}

StoreCommand Compose(const MergeTask& task, std::span<const Memory> sources,
                     std::span<const Link> others) {
  const Memory& spokesman = SpokesmanOf(sources);
  StoreCommand command;
  command.space = spokesman.space;
  command.id = task.id;
  command.kind = Kind::kSemantic;
  command.content = spokesman.content;
  command.confidence = NoisyOr(sources);
  command.embedding = MeanDirection(sources, spokesman);
  command.tags = TagsOf(sources);
  command.metadata = SharedMetadata(sources);
  command.occurred_at = spokesman.occurred_at;
  for (const Memory& source : sources) {
    command.occurred_at = std::max(*command.occurred_at, source.occurred_at);
  }
  command.links = LinksOf(task, sources, others);
  command.metadata[std::string(kConsolidatedKey)] =
      MarkOf({command.content, command.embedding, command.tags, command.metadata,
              *command.confidence, *command.occurred_at});
  return command;
}

bool Says(const Memory& memory, const StoreCommand& command) {
  return memory.kind == command.kind && memory.content == command.content &&
         memory.embedding == command.embedding && memory.tags == command.tags &&
         memory.metadata == command.metadata && memory.confidence == command.confidence &&
         memory.occurred_at == command.occurred_at && memory.links == command.links;
}

RequestId RequestIdOf(const ChangeTime& time, const StoreCommand& command,
                      const Version& replaced) {
  Encoder what;
  what.Bytes(command.space.view());
  what.Bytes(command.id->view());
  what.Bytes(command.metadata.at(std::string(kConsolidatedKey)));
  for (const Link& link : command.links) {
    what.Bytes(link.to.view());
    what.Double(link.weight);
  }
  return DerivedId(time, std::move(what), replaced);
}

RequestId RequestIdOf(const ChangeTime& time, const ForgetCommand& command,
                      const Version& replaced) {
  Encoder what;
  what.Bytes(command.space.view());
  what.Bytes(command.id.view());
  return DerivedId(time, std::move(what), replaced);
}

}  // namespace engram::memory
