// The pool of threads that wait between calls.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

#include "job.hpp"

namespace lastlayer {

// Which processors a thread of the pool may run on. The system may wake it on the waking thread's processor and leave
// both there for many calls, while another processor idles: that processor is excluded from those that the thread was
// given.
class Placement {
#if defined(__linux__)
 public:
  explicit Placement(pthread_t thread) : thread_(thread) {
    CPU_ZERO(&given_);
    CPU_ZERO(&allowed_);
  }

  // Excludes the caller's processor, unless there are more threads than processors.
  void leave_to(int caller, int threads) {
    if (caller < 0 || caller == forbidden_) return;
    forbidden_ = caller;
    cpu_set_t now;
    if (pthread_getaffinity_np(thread_, sizeof now, &now)) return;
    // If somebody else has set the affinity since, that is what the thread was given.
    if (!CPU_EQUAL(&now, &allowed_)) given_ = now;
    allowed_ = given_;
    if (CPU_COUNT(&given_) >= threads) CPU_CLR(caller, &allowed_);
    pthread_setaffinity_np(thread_, sizeof allowed_, &allowed_);
  }

 private:
  pthread_t thread_;
  cpu_set_t given_, allowed_;
  int forbidden_ = -1;
#else
 public:
  explicit Placement(std::thread::native_handle_type) {}
  void leave_to(int, int) {}
#endif
};

// The processor that this thread runs on, -1 if unknown.
inline int current_processor() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

class Pool {
 public:
  // One owner at a time; a second caller works alone.
  std::mutex owner;

  void run(int threads, Job& job) {
    {
      std::lock_guard<std::mutex> lock(state_);
      start(threads - 1);
      wanted_ = std::min(threads - 1, started_);
      for (int id = 0; id < wanted_; ++id) placements_[size_t(id)].leave_to(current_processor(), wanted_ + 1);
      job_ = &job;
      is_open_ = true;
      ++generation_;
    }
    wake_.notify_all();
    job.work(true);
    // The last shares end at nearly the same time: spinning for a moment is faster than being woken.
    spin_until([this] { return busy_.load() == 0; });
    std::unique_lock<std::mutex> lock(state_);
    // A thread that wakes up only now is too late, and is not waited for.
    is_open_ = false;
    while (!done_.wait_for(lock, check_time, [this] { return busy_.load() == 0; })) {
      // The others finish their current step; this thread can still stop the job.
      lock.unlock();
      job.check();
      lock.lock();
    }
    job_ = nullptr;
  }

 private:
  // Starts threads until there are this many, or fewer if the system starts no more: a limit of processes or memory is
  // no reason not to compute.
  void start(int threads) {
    try {
      placements_.reserve(size_t(threads));
      for (; started_ < threads; ++started_) {
        std::thread thread([this, id = started_] { serve(id); });
        placements_.emplace_back(thread.native_handle());
        thread.detach();
      }
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
  }

  void serve(int id) {
    worker = id + 1;
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(state_);
    for (;;) {
      // Calls often follow each other closely.
      lock.unlock();
      spin_until([&] { return generation_.load() != seen; });
      lock.lock();
      wake_.wait(lock, [&] { return generation_ != seen; });
      seen = generation_;
      if (id >= wanted_ || !is_open_) continue;
      ++busy_;
      lock.unlock();
      job_->work(false);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex state_;
  std::condition_variable wake_, done_;
  std::vector<Placement> placements_;
  Job* job_ = nullptr;
  int started_ = 0, wanted_ = 0;
  bool is_open_ = false;
  std::atomic<int> busy_{0};
  std::atomic<uint64_t> generation_{0};
};

}  // namespace lastlayer
