// The requests of one loop that are on their way to other nodes, or wait for what they need.
//
// When a node stops, some of them are still held by timers and tasks of the event loop, which goes
// after everything they refer to; so whoever owns the line ends them first. Belongs to one loop.
#pragma once

#include <boost/intrusive/list.hpp>

namespace engram::server {

class LiveCalls {
 public:
  // Leaves when it is destroyed.
  class Call : public boost::intrusive::list_base_hook<
                   boost::intrusive::tag<LiveCalls>,
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    virtual ~Call() = default;
    // Lets go of all that belongs to the node; nobody will be answered any more.
    virtual void Abandon() = 0;
  };

  void Add(Call& call) { calls_.push_back(call); }

  // When the loop has stopped.
  void AbandonAll() {
    while (!calls_.empty()) {
      Call& call = calls_.front();
      calls_.pop_front();
      call.Abandon();
    }
  }

 private:
  boost::intrusive::list<Call, boost::intrusive::base_hook<Call>,
                         boost::intrusive::constant_time_size<false>>
      calls_;
};

}  // namespace engram::server
