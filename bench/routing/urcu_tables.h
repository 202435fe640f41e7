// liburcu's lock-free hash table under two of its flavours, with the interface of tables.h.
#pragma once

#define _LGPL_SOURCE
#include <urcu/rculfhash.h>
#include <urcu/urcu-memb.h>
#include <urcu/urcu-qsbr.h>

#include <optional>
#include <string>

#include "tables.h"

// The second flavour's share of headers that can be included for one only.
// NOLINTBEGIN(readability-identifier-naming): the library gives the names
extern "C" {
void urcu_qsbr_call_rcu(rcu_head* head, void (*function)(rcu_head* head));
void urcu_qsbr_barrier(void);
extern const rcu_flavor_struct urcu_qsbr_flavor;
}
// NOLINTEND(readability-identifier-naming)

namespace engram::bench {

struct UrcuNode {
  cds_lfht_node in_table;
  rcu_head head;
  std::string space;
  Route route;

  static UrcuNode* Of(cds_lfht_node* node) { return caa_container_of(node, UrcuNode, in_table); }
  static void Free(rcu_head* head) { delete caa_container_of(head, UrcuNode, head); }
};

// Threads say when they hold nothing; a section costs nothing.
struct UrcuQsbr {
  static std::string Name() { return "liburcu cds_lfht, QSBR"; }
  static void Enter() { urcu_qsbr_register_thread(); }
  static void Leave() { urcu_qsbr_unregister_thread(); }
  static void Pause() { urcu_qsbr_quiescent_state(); }
  static void Lock() { urcu_qsbr_read_lock(); }
  static void Unlock() { urcu_qsbr_read_unlock(); }
  static void Retire(rcu_head* head) { urcu_qsbr_call_rcu(head, UrcuNode::Free); }
  static void Drain() { urcu_qsbr_barrier(); }
  static const rcu_flavor_struct* Flavor() { return &urcu_qsbr_flavor; }
};

// The writer's membarrier(2) stands in for the readers' fences.
struct UrcuMemb {
  static std::string Name() { return "liburcu cds_lfht, memb"; }
  static void Enter() { urcu_memb_register_thread(); }
  static void Leave() { urcu_memb_unregister_thread(); }
  static void Pause() {}
  static void Lock() { urcu_memb_read_lock(); }
  static void Unlock() { urcu_memb_read_unlock(); }
  static void Retire(rcu_head* head) { urcu_memb_call_rcu(head, UrcuNode::Free); }
  static void Drain() { urcu_memb_barrier(); }
  static const rcu_flavor_struct* Flavor() { return &urcu_memb_flavor; }
};

template <class Flavour>
class UrcuTable {
 public:
  explicit UrcuTable(Workload&)
      : table_(cds_lfht_new_flavor(1024, 1024, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING,
                                   Flavour::Flavor(), nullptr)) {}
  ~UrcuTable() {
    Flavour::Enter();
    cds_lfht_iter iter;
    Flavour::Lock();
    for (cds_lfht_first(table_, &iter); cds_lfht_iter_get_node(&iter) != nullptr;
         cds_lfht_next(table_, &iter)) {
      cds_lfht_node* node = cds_lfht_iter_get_node(&iter);
      if (cds_lfht_del(table_, node) == 0) Flavour::Retire(&UrcuNode::Of(node)->head);
    }
    Flavour::Unlock();
    Flavour::Leave();
    Flavour::Drain();
    cds_lfht_destroy(table_, nullptr);
  }
  UrcuTable(const UrcuTable&) = delete;
  UrcuTable& operator=(const UrcuTable&) = delete;

  static std::string Name() { return Flavour::Name(); }
  static void Enter() { Flavour::Enter(); }
  static void Leave() { Flavour::Leave(); }
  static void Pause() { Flavour::Pause(); }

  std::optional<Route> Find(const std::string& space) const {
    Flavour::Lock();
    cds_lfht_iter iter;
    cds_lfht_lookup(table_, StringHash{}(space), Match, &space, &iter);
    cds_lfht_node* node = cds_lfht_iter_get_node(&iter);
    std::optional<Route> route;
    if (node != nullptr) route = UrcuNode::Of(node)->route;
    Flavour::Unlock();
    return route;
  }
  void Apply(const Diff& diff) {
    for (const Diff::Change& change : diff.numbered) {
      auto* node = new UrcuNode{{}, {}, *change.space, change.route};
      Flavour::Lock();
      cds_lfht_node* old = cds_lfht_add_replace(table_, StringHash{}(node->space), Match,
                                                &node->space, &node->in_table);
      Flavour::Unlock();
      if (old != nullptr) Flavour::Retire(&UrcuNode::Of(old)->head);
    }
  }

 private:
  static int Match(cds_lfht_node* node, const void* space) {
    return UrcuNode::Of(node)->space == *static_cast<const std::string*>(space) ? 1 : 0;
  }
  cds_lfht* const table_;
};

}  // namespace engram::bench
