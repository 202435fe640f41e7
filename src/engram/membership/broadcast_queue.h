// News on its way to everybody, a few with each datagram (SWIM, Das et al., 2002, §4.1): what was
// sent least often goes first, and nothing more often than it takes to reach everybody with high
// probability.
//
// A newer word under the same key replaces the older one, so the queue is never longer than there
// are keys.
//
// Owned by Swim. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace engram::membership {

// multiplier * ceil(ln(members + 1)). If all send a piece of news t times to members drawn at
// random, one of them misses it with probability e^-t; so with a multiplier of 3 somebody does in
// one of n^2 cases. (With 4 * ceil(log10()), as memberlist has it, in one of a hundred.)
int RetransmitsMax(int multiplier, size_t members);

class BroadcastQueue {
 public:
  // `bytes`: as they are appended to a datagram.
  void Push(const std::string& key, std::string bytes);
  void Drop(const std::string& key);
  void Clear();

  // Appends to `datagram` what fits into `size_max`, least sent first, then newest first. What has
  // now been sent `transmits_max` times is dropped. `except`: a key whose news is in it already.
  void Fill(std::string& datagram, size_t size_max, int transmits_max,
            std::string_view except = {});

  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }

 private:
  // How often it was sent; then the newest first, by a number that falls.
  using Order = std::pair<int, uint64_t>;
  struct Item {
    std::string key;
    std::string bytes;
  };

  void Insert(int transmits, Item item);

  std::map<Order, Item> items_;
  std::map<std::string, Order, std::less<>> order_of_;
  uint64_t next_ = UINT64_MAX;
};

}  // namespace engram::membership
