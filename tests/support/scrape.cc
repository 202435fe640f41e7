#include "support/scrape.h"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <sstream>

namespace engram::testing {

HttpPeer::HttpPeer(const std::string& address) : socket_(context_) {
  const size_t colon = address.find(':');
  socket_.connect({boost::asio::ip::make_address(address.substr(0, colon)),
                   static_cast<uint16_t>(std::stoi(address.substr(colon + 1)))});
}

std::string HttpPeer::Ask(const std::string& request) {
  boost::asio::write(socket_, boost::asio::buffer(request));
  std::string answer;
  boost::system::error_code end;
  boost::asio::read(socket_, boost::asio::dynamic_buffer(answer), end);
  return answer;
}

std::string Scrape(const TestCluster& cluster, int node) {
  return HttpPeer(cluster.HttpAddress(node)).Ask("GET /metrics HTTP/1.0\r\n\r\n");
}

double ValueOf(const std::string& scraped, const std::string& series) {
  const size_t at = scraped.find("\n" + series + " ");
  return at == std::string::npos ? 0 : std::stod(scraped.substr(at + series.size() + 2));
}

double SumOf(const std::string& scraped, std::string_view name) {
  double sum = 0;
  std::istringstream lines(scraped);
  for (std::string line; std::getline(lines, line);) {
    const bool named = line.compare(0, name.size(), name) == 0 && line.size() > name.size() &&
                       (line[name.size()] == ' ' || line[name.size()] == '{');
    if (named) sum += std::stod(line.substr(line.rfind(' ') + 1));
  }
  return sum;
}

}  // namespace engram::testing
