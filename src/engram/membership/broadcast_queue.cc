#include "engram/membership/broadcast_queue.h"

#include <cmath>
#include <vector>

namespace engram::membership {
namespace {

// Past so many that did not fit, a search for a smaller one is not worth it.
constexpr int kMisfitsMax = 8;

}  // namespace

int RetransmitsMax(int multiplier, size_t members) {
  return multiplier * static_cast<int>(std::ceil(std::log(static_cast<double>(members) + 1)));
}

void BroadcastQueue::Push(const std::string& key, std::string bytes) {
  Drop(key);
  Insert(0, {key, std::move(bytes)});
}

void BroadcastQueue::Insert(int transmits, Item item) {
  const Order order{transmits, next_--};
  order_of_[item.key] = order;
  items_.emplace(order, std::move(item));
}

void BroadcastQueue::Drop(const std::string& key) {
  auto it = order_of_.find(key);
  if (it == order_of_.end()) return;
  items_.erase(it->second);
  order_of_.erase(it);
}

void BroadcastQueue::Clear() {
  items_.clear();
  order_of_.clear();
}

void BroadcastQueue::Fill(std::string& datagram, size_t size_max, int transmits_max,
                          std::string_view except) {
  std::vector<Order> sent;
  int misfits = 0;
  for (const auto& [order, item] : items_) {
    if (misfits > kMisfitsMax) break;
    if (item.key == except) continue;
    if (datagram.size() + item.bytes.size() > size_max) {
      ++misfits;
      continue;
    }
    datagram += item.bytes;
    sent.push_back(order);
  }
  for (const Order& order : sent) {
    auto node = items_.extract(order);
    Item& item = node.mapped();
    const int transmits = order.first + 1;
    if (transmits >= transmits_max) {
      order_of_.erase(item.key);
    } else {
      Insert(transmits, std::move(item));
    }
  }
}

}  // namespace engram::membership
