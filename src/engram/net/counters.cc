#include "engram/net/counters.h"

#include <array>

namespace engram::net {
namespace {

constexpr std::array kNames = {
    CounterName{"messages_received", &Counters::messages_received},
    CounterName{"message_bytes_received", &Counters::message_bytes_received},
    CounterName{"messages_inflated", &Counters::messages_inflated},
    CounterName{"message_bytes_inflated", &Counters::message_bytes_inflated},
    CounterName{"messages_sent", &Counters::messages_sent},
    CounterName{"message_bytes_sent", &Counters::message_bytes_sent},
    CounterName{"streams_begun", &Counters::streams_begun},
    CounterName{"streams_ended", &Counters::streams_ended},
    CounterName{"socket_reads", &Counters::socket_reads},
    CounterName{"connections_accepted", &Counters::connections_accepted},
    CounterName{"connections_closed", &Counters::connections_closed},
    CounterName{"calls_begun", &Counters::calls_begun},
    CounterName{"calls_ended", &Counters::calls_ended},
    CounterName{"calls_cancelled", &Counters::calls_cancelled},
    CounterName{"calls_deadline_exceeded", &Counters::calls_deadline_exceeded},
    CounterName{"connections_refused", &Counters::connections_refused},
    CounterName{"connections_unfinished", &Counters::connections_unfinished},
    CounterName{"connections_unused", &Counters::connections_unused},
    CounterName{"connections_idle", &Counters::connections_idle},
    CounterName{"connections_old", &Counters::connections_old},
    CounterName{"tls_handshakes_failed", &Counters::tls_handshakes_failed},
    CounterName{"connections_flooding", &Counters::connections_flooding},
    CounterName{"streams_refused", &Counters::streams_refused},
    CounterName{"header_lists_refused", &Counters::header_lists_refused},
    CounterName{"messages_refused", &Counters::messages_refused},
    CounterName{"messages_over_budget", &Counters::messages_over_budget},
    CounterName{"requests_refused", &Counters::requests_refused},
    CounterName{"channels_acquired", &Counters::channels_acquired},
    CounterName{"channels_opened", &Counters::channels_opened},
    CounterName{"connects", &Counters::connects},
    CounterName{"connects_failed", &Counters::connects_failed},
    CounterName{"connections_lost", &Counters::connections_lost},
    CounterName{"keepalives_sent", &Counters::keepalives_sent},
    CounterName{"keepalives_missed", &Counters::keepalives_missed},
};
constexpr std::array kGaugeNames = {
    GaugeName{"bytes_held", &Counters::bytes_held},
};

// A counter that was added to the struct has its name here.
static_assert(sizeof(Counters) ==
              kNames.size() * sizeof(Counter) + kGaugeNames.size() * sizeof(Gauge));

}  // namespace

std::span<const CounterName> CounterNames() { return kNames; }
std::span<const GaugeName> GaugeNames() { return kGaugeNames; }

}  // namespace engram::net
