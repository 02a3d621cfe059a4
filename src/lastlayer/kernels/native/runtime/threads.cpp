#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if !defined(_WIN32)
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace lastlayer {
namespace {

// Below this many scores a thread, waking one costs more than it saves.
constexpr int64_t worthwhile = 32768;
// Parts a thread, so that a thread that was interrupted is not waited for.
constexpr int64_t parts_a_thread = 4;

// How long a thread that waits for something looks for it before it sleeps.
constexpr std::chrono::microseconds patience{300};

// Scores that are worked on before the clock is first looked at, how long the steps after it take, and how often the
// caller asks whether it is interrupted.
constexpr int64_t first_step = int64_t(1) << 18;
constexpr std::chrono::milliseconds step_time{50}, check_time{50};
using Clock = std::chrono::steady_clock;

inline void rest() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

// The processors that one group's own files grant, 0 where they say nothing.
double quota_of(const std::string& folder, bool is_first_version) {
  double limit = 0.0, period = 0.0;
  if (is_first_version) {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> limit;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  } else {
    // "max 100000" where there is no limit, of which nothing is read.
    std::ifstream(folder + "/cpu.max") >> limit >> period;
  }
  return limit > 0.0 && period > 0.0 ? limit / period : 0.0;
}

// The smallest quota of a group and of those that it lies in. A container may not see the path that the host gave its
// group; its own one is the root then.
double smallest_quota(const std::string& root, std::string path, bool is_first_version) {
  double smallest = 0.0;
  for (;;) {
    const double own = quota_of(root + path, is_first_version);
    if (own > 0.0 && (smallest == 0.0 || own < smallest)) smallest = own;
    if (path.empty()) return smallest;
    path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

// Until something holds, or patience is at its end.
template <class Holds>
void look_for(const Holds& holds) {
  const auto stop = Clock::now() + patience;
  while (!holds() && Clock::now() < stop) rest();
}

thread_local int worker = 0;

std::atomic<bool (*)()> interrupt_check{nullptr};

// One call of `parallel_rows`: parts that its threads take one after the other, in steps after each of which they may
// stop.
class Job {
 public:
  Job(int64_t rows, int64_t cost, int64_t parts, const std::function<void(int64_t, int64_t)>& work)
      : work_(work), rows_(rows), parts_(parts), step_(std::max<int64_t>(1, first_step / std::max<int64_t>(1, cost))) {}

  // Until no part is left, or the call is interrupted.
  void work(bool is_caller) {
    for (int64_t i = next_++; i < parts_ && !is_stopped_; i = next_++) {
      do_part(rows_ * i / parts_, rows_ * (i + 1) / parts_, is_caller);
      if (is_caller) check();
    }
  }

  // Asks, if it has not just been done, whether the call is interrupted. By the caller alone.
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
  void do_part(int64_t begin, int64_t end, bool is_caller) {
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
  // Steps of whole tiles of rows, where they have so many.
  void adapt(int64_t step, Clock::duration taken) {
    const double factor =
        double(step_time.count()) * 1e-3 / std::max(1e-9, std::chrono::duration<double>(taken).count());
    const int64_t next = std::max<int64_t>(1, int64_t(double(step) * std::min(factor, 1024.0)));
    step_.store(next >= 64 ? next / 64 * 64 : next, std::memory_order_relaxed);
  }

  const std::function<void(int64_t, int64_t)>& work_;
  const int64_t rows_, parts_;
  std::atomic<int64_t> next_{0}, step_;
  std::atomic<bool> is_stopped_{false};
  Clock::time_point checked_ = Clock::now();
};

// Where a thread of the pool may run. A system may wake it on the processor of who wakes it, and leave both there for
// many calls while another processor has nothing to do: of the processors that the thread was given, that one is
// forbidden.
class Place {
#if defined(__linux__)
 public:
  explicit Place(pthread_t thread) : thread_(thread) {
    CPU_ZERO(&given_);
    CPU_ZERO(&allowed_);
  }

  // Of so many threads; where they are more than the processors none is forbidden.
  void leave_to(int caller, int threads) {
    if (caller < 0 || caller == forbidden_) return;
    forbidden_ = caller;
    cpu_set_t now;
    if (pthread_getaffinity_np(thread_, sizeof now, &now)) return;
    // What another has set since is what the thread was given.
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
  explicit Place(std::thread::native_handle_type) {}
  void leave_to(int, int) {}
#endif
};

// The processor that this thread runs on, -1 where that is not known.
int own_processor() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

class Pool {
 public:
  // One owner at a time; who comes second works alone.
  std::mutex owner;

  void run(int threads, Job& job) {
    {
      std::lock_guard<std::mutex> lock(state_);
      start(threads - 1);
      wanted_ = std::min(threads - 1, started_);
      for (int id = 0; id < wanted_; ++id) places_[size_t(id)].leave_to(own_processor(), wanted_ + 1);
      job_ = &job;
      is_open_ = true;
      ++generation_;
    }
    wake_.notify_all();
    job.work(true);
    // The last parts end at nearly the same time: looking for a moment is faster than to be woken.
    look_for([this] { return busy_.load() == 0; });
    std::unique_lock<std::mutex> lock(state_);
    // Who wakes up only now comes too late, and is not waited for.
    is_open_ = false;
    while (!done_.wait_for(lock, check_time, [this] { return busy_.load() == 0; })) {
      // The others end what they are at, which this thread may stop.
      lock.unlock();
      job.check();
      lock.lock();
    }
    job_ = nullptr;
  }

 private:
  // The pool has at most this many threads, fewer where the system starts fewer: a limit of processes or memory is no
  // reason not to compute.
  void start(int threads) {
    try {
      places_.reserve(size_t(threads));
      for (; started_ < threads; ++started_) {
        std::thread thread([this, id = started_] { serve(id); });
        places_.emplace_back(thread.native_handle());
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
      look_for([&] { return generation_.load() != seen; });
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
  std::vector<Place> places_;
  Job* job_ = nullptr;
  int started_ = 0, wanted_ = 0;
  bool is_open_ = false;
  std::atomic<int> busy_{0};
  std::atomic<uint64_t> generation_{0};
};

std::atomic<Pool*> shared_pool{nullptr};
std::atomic<int> chosen_threads{0};

// Never freed: its threads wait on it until the process ends, and a forked child leaves its parent's copy alone.
Pool& pool() {
  Pool* current = shared_pool.load();
  if (!current) {
    Pool* fresh = new Pool;
    if (shared_pool.compare_exchange_strong(current, fresh)) return *fresh;
    delete fresh;
  }
  return *current;
}

// Calls function(data) on so many threads of the OpenMP library that the process has anyway, and waits for them.
using OpenMP = void (*)(void (*function)(void*), void* data, unsigned threads, unsigned flags);
std::atomic<OpenMP> borrowed{nullptr};

void run_borrowed(OpenMP openmp, int threads, Job& job) {
  struct Team {
    Job& job;
    std::thread::id caller;
    std::atomic<int> arrived{0}, busy{0};  // busy: of all but the caller
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
        // Not in the library, which would not ask whether the call is interrupted. A thread that comes later finds
        // nothing to do.
        look_for([&team] { return team.busy.load() == 0; });
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
// Neither kind of thread lives on in a child, and GNU's OpenMP library does not notice.
const int at_fork = pthread_atfork(nullptr, nullptr, [] {
  shared_pool.store(nullptr);
  borrowed.store(nullptr);
});
#endif

}  // namespace

int most_threads() { return std::max(64, 4 * processors()); }

int granted_processors(const char* root, const char* membership) {
  double smallest = 0.0;
  const auto take_in = [&](double quota) {
    if (quota > 0.0 && (smallest == 0.0 || quota < smallest)) smallest = quota;
  };
  std::ifstream groups(membership);
  for (std::string line; std::getline(groups, line);) {
    // "0::/path" of version 2; "4:cpu,cpuacct:/path" of version 1.
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",",
                      path = line.substr(second + 1);
    const std::string inside = path == "/" ? "" : path;
    if (controllers == ",,") take_in(smallest_quota(root, inside, false));
    if (controllers.find(",cpu,") != std::string::npos)
      take_in(smallest_quota(std::string(root) + "/cpu", inside, true));
  }
  return smallest > 0.0 ? std::max(1, int(smallest + 0.5)) : 0;
}

int default_threads() {
  if (const char* given = std::getenv("OMP_NUM_THREADS")) {
    const long threads = std::strtol(given, nullptr, 10);
    if (threads >= 1) return int(std::min<long>(threads, most_threads()));
  }
  const int granted = granted_processors("/sys/fs/cgroup", "/proc/self/cgroup");
  return std::min(granted ? std::min(granted, processors()) : processors(), most_threads());
}

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
  return int(std::max<int64_t>(1, std::min<int64_t>({threads, rows, size / worthwhile})));
}

void parallel_rows(int64_t rows, int64_t cost, int threads, const std::function<void(int64_t, int64_t)>& work) {
  if (rows <= 0) return;
  threads = useful_threads(rows, cost, threads);
  if (threads > 1) {
    Pool& shared = pool();
    std::unique_lock<std::mutex> lock(shared.owner, std::try_to_lock);
    if (lock.owns_lock()) {
      Job job(rows, cost, std::min(rows, threads * parts_a_thread), work);
      const OpenMP openmp = borrowed.load();
      openmp ? run_borrowed(openmp, threads, job) : shared.run(threads, job);
      return job.throw_if_stopped();
    }
  }
  // On this thread, which may be one of another call's.
  struct Alone {
    const int before = worker;
    Alone() { worker = 0; }
    ~Alone() { worker = before; }
  } alone;
  if (rows * std::max<int64_t>(1, cost) <= first_step) return work(0, rows);
  Job job(rows, cost, 1, work);
  job.work(true);
  job.throw_if_stopped();
}

}  // namespace lastlayer
