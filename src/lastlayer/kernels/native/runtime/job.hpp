// The work of one parallel call, which any thread may help with: shares of rows, and the check for an interrupt.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

#include "../thresholds.hpp"
#include "threads.hpp"

namespace lastlayer {

using Clock = std::chrono::steady_clock;

// A thread that waits spins this long before it sleeps.
constexpr std::chrono::microseconds spin_time{300};
// How long a step of work should take, and how often the caller asks whether it is interrupted.
constexpr std::chrono::milliseconds step_time{50}, check_time{50};

inline void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Spins until something holds, at most for `spin_time`.
template <class Holds>
void spin_until(const Holds& holds) {
  const auto stop = Clock::now() + spin_time;
  while (!holds() && Clock::now() < stop) pause_processor();
}

// The number of this thread among those of the call it works for.
inline thread_local int worker = 0;

inline std::atomic<bool (*)()> interrupt_check{nullptr};

// One call of `parallel_rows`: parts that its threads take one after the other, in steps. They may stop after each
// step.
class Job {
 public:
  Job(int64_t rows, int64_t cost, int64_t shares, const std::function<void(int64_t, int64_t)>& work)
      : work_(work),
        rows_(rows),
        shares_(shares),
        step_(std::max<int64_t>(1, thresholds::scores_before_clock / std::max<int64_t>(1, cost))) {}

  // Works until no share is left, or the call is interrupted.
  void work(bool is_caller) {
    for (int64_t i = next_++; i < shares_ && !is_stopped_; i = next_++) {
      do_share(rows_ * i / shares_, rows_ * (i + 1) / shares_, is_caller);
      if (is_caller) check();
    }
  }

  // Checks for an interrupt, unless that was just done. Called by the caller's thread only.
  void check() {
    const auto now = Clock::now();
    if (is_stopped_ || now - checked_ < check_time) return;
    checked_ = now;
    const auto is_interrupted = interrupt_check.load();
    if (is_interrupted && is_interrupted()) is_stopped_ = true;
  }
  void throw_if_stopped() const {
    if (is_stopped_) throw Interrupted();
  }

 private:
  void do_share(int64_t begin, int64_t end, bool is_caller) {
    while (begin < end && !is_stopped_) {
      const int64_t step = step_.load(std::memory_order_relaxed);
      if (end - begin <= step) return work_(begin, end);
      const auto start = Clock::now();
      work_(begin, begin + step);
      begin += step;
      adapt(step, Clock::now() - start);
      if (is_caller) check();
    }
  }
  // A step is a whole number of tiles, if it has that many rows.
  void adapt(int64_t step, Clock::duration taken) {
    const double factor =
        double(step_time.count()) * 1e-3 / std::max(1e-9, std::chrono::duration<double>(taken).count());
    const int64_t next = std::max<int64_t>(1, int64_t(double(step) * std::min(factor, 1024.0)));
    step_.store(next >= thresholds::step_rows ? next / thresholds::step_rows * thresholds::step_rows : next,
                std::memory_order_relaxed);
  }

  const std::function<void(int64_t, int64_t)>& work_;
  const int64_t rows_, shares_;
  std::atomic<int64_t> next_{0}, step_;
  std::atomic<bool> is_stopped_{false};
  Clock::time_point checked_ = Clock::now();
};

}  // namespace lastlayer
