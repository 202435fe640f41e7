// Reads GET /metrics of a node. Single-threaded use.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <string_view>

#include "support/cluster.h"

namespace engram::testing {

// One HTTP connection.
class HttpPeer {
 public:
  // Throws boost::system::system_error if nobody listens there.
  explicit HttpPeer(const std::string& address);
  // Everything that comes until the node closes the connection.
  std::string Ask(const std::string& request);

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
};

std::string Scrape(const TestCluster& cluster, int node);

// The value of a series; 0 if it is not there.
double ValueOf(const std::string& scraped, const std::string& series);

// All series of that name, whatever their labels, summed up.
double SumOf(const std::string& scraped, std::string_view name);

}  // namespace engram::testing
