#include "support/switch_traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace engram::testing {
namespace {

using Json = nlohmann::json;

struct FateName {
  Fate fate;
  const char* name;
};
constexpr FateName kFates[] = {{Fate::kDelivered, "delivered"}, {Fate::kCut, "cut"}};

struct KindName {
  PacketKind kind;
  const char* name;
};
constexpr KindName kUdp = {PacketKind::kUdp, "udp"};
constexpr KindName kSyn = {PacketKind::kTcpSyn, "syn"};
constexpr KindName kPayload = {PacketKind::kTcpPayload, "payload"};
constexpr KindName kOther = {PacketKind::kTcpOther, "other"};
constexpr KindName kKinds[] = {kUdp, kSyn, kPayload, kOther};

constexpr char kPair[] = "ip saddr . ip daddr";

// Of the set whose elements, pairs of hosts, have a counter each.
std::string SetName(const FateName& fate, const KindName& kind) {
  return fmt::format("{}_{}", fate.name, kind.name);
}

std::string Count(const FateName& fate, const KindName& kind) {
  return fmt::format("update @{} {{ {} counter }}", SetName(fate, kind), kPair);
}

// Which packets carry payload is not for nft to compute: the rules enumerate the lengths of a TCP
// header, 5 to 15 words behind the 5 of IP.
std::string CountingChains(const FateName& fate) {
  std::string text = fmt::format(
      "chain {0}_payload {{\n{1}\n}}\n"
      "chain count_{0} {{\n"
      "meta l4proto udp {2} return\n"
      "meta l4proto != tcp return\n"
      "tcp flags & (syn | ack) == syn {3} return\n",
      fate.name, Count(fate, kPayload), Count(fate, kUdp), Count(fate, kSyn));
  for (int words = 5; words <= 15; ++words) {
    text += fmt::format("tcp doff {} ip length > {} goto {}_payload\n", words, 4 * (5 + words),
                        fate.name);
  }
  return text + Count(fate, kOther) + "\n}\n";
}

bool OneOf(int host, const Hosts& hosts) {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

}  // namespace

// ARP is neither cut nor counted: what is cut off shall vanish on the way, like beyond a router,
// and not fail at the sender.
std::string SwitchRules::Initial() {
  std::string text = fmt::format("{} {{\nset cut {{ typeof {}; }}\n", kTable, kPair);
  for (const FateName& fate : kFates) {
    for (const KindName& kind : kKinds) {
      text += fmt::format("set {} {{ typeof {}; flags dynamic; size 65535; }}\n",
                          SetName(fate, kind), kPair);
    }
  }
  for (const FateName& fate : kFates) text += CountingChains(fate);
  return text + fmt::format(
                    "chain cut_off {{\njump count_cut\ndrop\n}}\n"
                    "chain forward {{\ntype filter hook forward priority 0;\n"
                    "{} @cut goto cut_off\nether type ip jump count_delivered\n}}\n}}\n",
                    kPair);
}

std::string SwitchRules::Cut(const Hosts& from, const Hosts& to) const {
  std::string pairs;
  for (int a : from) {
    for (int b : to) pairs += fmt::format("{} . {}, ", Address(a), Address(b));
  }
  return fmt::format("add element bridge engram cut {{ {} }}", pairs);
}

std::string SwitchRules::Heal() { return "flush set bridge engram cut"; }

SwitchTraffic SwitchRules::Parse(std::string_view listed) const {
  const auto host_of = [&](const Json& address) {
    return std::stoi(address.get<std::string>().substr(prefix_.size() + 1)) - 1;
  };
  SwitchTraffic traffic;
  const auto add = [&](const std::string& set, const Json& element) {
    const Json& key = element.at("val").at("concat");
    const std::pair<int, int> hosts(host_of(key.at(0)), host_of(key.at(1)));
    for (const FateName& fate : kFates) {
      for (const KindName& kind : kKinds) {
        if (set != SetName(fate, kind)) continue;
        const Json& counter = element.at("counter");
        traffic.counts_[{fate.fate, kind.kind, hosts.first, hosts.second}] +=
            {counter.at("packets").get<uint64_t>(), counter.at("bytes").get<uint64_t>()};
      }
    }
  };
  const Json all = Json::parse(listed);
  for (const Json& object : all.at("nftables")) {
    const Json set = object.value("set", Json::object());
    for (const Json& element : set.value("elem", Json::array())) {
      if (element.contains("elem")) add(set.at("name"), element.at("elem"));
    }
  }
  return traffic;
}

PacketCount SwitchTraffic::Of(PacketKind kind, Fate fate, const Hosts& from,
                              const Hosts& to) const {
  PacketCount sum;
  for (const auto& [key, count] : counts_) {
    const auto& [of_fate, of_kind, a, b] = key;
    if (of_fate == fate && of_kind == kind && OneOf(a, from) && OneOf(b, to)) sum += count;
  }
  return sum;
}

PacketCount SwitchTraffic::Of(Fate fate, const Hosts& from, const Hosts& to) const {
  PacketCount sum;
  for (const KindName& kind : kKinds) sum += Of(kind.kind, fate, from, to);
  return sum;
}

}  // namespace engram::testing
