#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#if !defined(_WIN32)
#include <dlfcn.h>
#include <pthread.h>
#endif

#include "../thresholds.hpp"
#include "job.hpp"
#include "pool.hpp"
#include "processors.hpp"

namespace lastlayer {
namespace {

std::atomic<Pool*> shared_pool{nullptr};
std::atomic<int> chosen_threads{0};

// Never freed: its threads wait on it until the process ends, and a forked child ignores its parent's copy.
Pool& pool() {
  Pool* current = shared_pool.load();
  if (!current) {
    Pool* fresh = new Pool;
    if (shared_pool.compare_exchange_strong(current, fresh)) return *fresh;
    delete fresh;
  }
  return *current;
}

// Calls function(data) on threads of the OpenMP library that the process has loaded, and waits for them.
using OpenMP = void (*)(void (*function)(void*), void* data, unsigned threads, unsigned flags);
std::atomic<OpenMP> borrowed{nullptr};

void run_borrowed(OpenMP openmp, int threads, Job& job) {
  struct Team {
    Job& job;
    std::thread::id caller;
    std::atomic<int> arrived{0}, busy{0};  // busy: without the caller
    std::mutex state;
    std::condition_variable done;
  } team{job, std::this_thread::get_id(), {0}, {0}, {}, {}};
  openmp(
      [](void* data) {
        Team& team = *static_cast<Team*>(data);
        const int before = worker;
        worker = team.arrived++;
        const bool is_caller = std::this_thread::get_id() == team.caller;
        if (!is_caller) ++team.busy;
        team.job.work(is_caller);
        worker = before;
        if (!is_caller) {
          std::lock_guard<std::mutex> lock(team.state);
          if (--team.busy == 0) team.done.notify_one();
          return;
        }
        // Waits here and not in the library, which would not check for an interrupt. A thread that comes later finds
        // nothing to do.
        spin_until([&team] { return team.busy.load() == 0; });
        std::unique_lock<std::mutex> lock(team.state);
        while (!team.done.wait_for(lock, check_time, [&team] { return team.busy.load() == 0; })) {
          lock.unlock();
          team.job.check();
          lock.lock();
        }
      },
      &team, unsigned(threads), 0);
}

#if !defined(_WIN32)
// Neither kind of thread survives in a child, and GNU's OpenMP library does not notice.
const int at_fork = pthread_atfork(nullptr, nullptr, [] {
  shared_pool.store(nullptr);
  borrowed.store(nullptr);
});
#endif

}  // namespace

int current_worker() { return worker; }

int num_threads() {
  int threads = chosen_threads.load();
  if (!threads) {
    threads = default_threads();
    int unset = 0;
    if (!chosen_threads.compare_exchange_strong(unset, threads)) threads = unset;
  }
  return threads;
}

bool borrow_threads() {
#if !defined(_WIN32)
  borrowed.store(reinterpret_cast<OpenMP>(dlsym(RTLD_DEFAULT, "GOMP_parallel")));
#endif
  return borrowed.load() != nullptr;
}

void set_num_threads(int threads) { chosen_threads.store(std::max(1, std::min(threads, most_threads()))); }

void set_interrupt_check(bool (*is_interrupted)()) { interrupt_check.store(is_interrupted); }

int useful_threads(int64_t rows, int64_t cost, int threads) {
  const int64_t size = rows * std::max<int64_t>(1, cost);
  return int(std::max<int64_t>(1, std::min<int64_t>({threads, rows, size / thresholds::scores_per_thread})));
}

void parallel_rows(int64_t rows, int64_t cost, int threads, const std::function<void(int64_t, int64_t)>& work) {
  if (rows <= 0) return;
  threads = useful_threads(rows, cost, threads);
  if (threads > 1) {
    Pool& shared = pool();
    std::unique_lock<std::mutex> lock(shared.owner, std::try_to_lock);
    if (lock.owns_lock()) {
      Job job(rows, cost, std::min(rows, threads * thresholds::shares_per_thread), work);
      const OpenMP openmp = borrowed.load();
      openmp ? run_borrowed(openmp, threads, job) : shared.run(threads, job);
      return job.throw_if_stopped();
    }
  }
  // On this thread, which may itself belong to another call.
  struct Alone {
    const int before = worker;
    Alone() { worker = 0; }
    ~Alone() { worker = before; }
  } alone;
  if (rows * std::max<int64_t>(1, cost) <= thresholds::scores_before_clock) return work(0, rows);
  Job job(rows, cost, 1, work);
  job.work(true);
  job.throw_if_stopped();
}

}  // namespace lastlayer
