// One memory as it will be once the group that is being built has committed: read through the
// group's batch, changed as a whole, put back with everything that follows from it: terms, links,
// embedding, the space's totals, the change of the index.
//
// For the commit thread only; made for one change.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/memory_state.h"
#include "engram/memory/space_draft.h"
#include "engram/storage/database.h"

namespace engram::memory {

class MemoryDraft {
 public:
  // What a draft changes; both outlive it.
  struct Stores {
    storage::Batch& batch;
    SpaceDraft& space;
  };
  static absl::StatusOr<MemoryDraft> Read(Stores stores, const MemoryId& id);
  // With the links to one target only, which is all that a link needs: a memory may have many.
  static absl::StatusOr<MemoryDraft> ReadWithLinksTo(Stores stores, const MemoryId& id,
                                                     const MemoryId& to);

  const MemoryId& id() const { return id_; }
  const MemoryState& state() const { return state_; }
  bool alive() const { return Shown(state_) != nullptr; }

  // The change, with the text of its content if it was analysed already. Reads before it puts
  // anything: an error leaves batch and space untouched. Called once.
  [[nodiscard]] absl::Status Apply(MemoryChange change, Effect effect, AnalyzedText* text);

  // These tombstones of the memory go, as far as they are there. Called once. REQUIRES: read with
  // all links.
  void Collect(std::span<const replication::Tombstone> tombstones);

  // The state as a whole, each revision with its embedding. Called once. REQUIRES: read with all
  // links.
  [[nodiscard]] absl::Status Replace(MemoryState state);

 private:
  // What has to be known of the state before the change.
  struct Before {
    bool alive = false;
    bool replaced = false;  // everything is put anew
    RevisionRecord shown;   // without its content
    size_t siblings = 0;
    size_t tombstones = 0;
    bool has_links = false;
    std::vector<Version> revisions;
    std::vector<LinkRecord> links;
  };

  MemoryDraft(Stores stores, MemoryId id) : stores_(stores), id_(std::move(id)) {}

  [[nodiscard]] absl::Status ReadRecord();
  [[nodiscard]] absl::Status ReadLinks();
  [[nodiscard]] absl::Status ReadLinksTo(const MemoryId& to);
  Before Remember() const;
  // An embedding belongs to the revision that is shown; one that is not shown keeps its own.
  [[nodiscard]] absl::Status TakeAlongEmbedding();
  void Put(const Before& before, const Version& changed, AnalyzedText* text);
  void PutShown(const Before& before, const Version& changed, AnalyzedText* text);
  void PutRemoved(const Before& before);
  void PutLinks(const Before& before);
  void PutTombstone(const Before& before);
  void PutRecord(const Before& before);
  void Count(const Before& before);
  void ChangeLinksOfIndex(const Before& before);

  Stores stores_;
  MemoryId id_;
  MemoryState state_;
  bool has_links_ = false;
  bool all_links_ = true;  // else `state_` has those to one target
};

}  // namespace engram::memory
