// How the values of configuration keys are read and shown; the parts that keys share.
//
// Everything here is pure. Errors name the key and say what is allowed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engram/server/config.h"

namespace engram::server {

absl::Status SetInt(std::string_view key, int least, int most, const std::string& value, int& out);
absl::Status SetDuration(std::string_view key, const std::string& value, Duration& out);
// A duration that can be off, which is Duration::max() within and "0" for people.
absl::Status SetLimit(std::string_view key, const std::string& value, Duration& out);
absl::Status SetChoice(std::string_view key, const std::vector<std::string_view>& choices,
                       const std::string& value, std::string& out);
absl::Status SetAddress(std::string_view key, const std::string& value, std::string& out);
absl::Status SetSwitch(std::string_view key, const std::string& value, bool& out);

std::string ShowDuration(Duration d);

template <std::string NodeConfig::*Field>
absl::Status SetText(NodeConfig& c, const std::string& value) {
  c.*Field = value;
  return absl::OkStatus();
}

template <std::string NodeConfig::*Field>
std::string ShowText(const NodeConfig& c) {
  return c.*Field;
}

template <Duration NodeConfig::*Field>
std::string ShowTime(const NodeConfig& c) {
  return ShowDuration(c.*Field);
}

template <Duration NodeConfig::*Field>
std::string ShowLimit(const NodeConfig& c) {
  return c.*Field == Duration::max() ? "0" : ShowDuration(c.*Field);
}

template <bool NodeConfig::*Field>
std::string ShowSwitch(const NodeConfig& c) {
  return c.*Field ? "on" : "off";
}

template <int NodeConfig::*Field>
std::string ShowInt(const NodeConfig& c) {
  return std::to_string(c.*Field);
}

// In a file of their own.
std::vector<ConfigKey> ClusterKeys();

}  // namespace engram::server
