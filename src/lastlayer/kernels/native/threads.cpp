#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
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

// The whole processors that a control group's quota grants, or 0 where there is none.
int quota() {
  double limit = 0.0, period = 0.0;
  if (FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    const int read = std::fscanf(file, "%lf %lf", &limit, &period);
    std::fclose(file);
    if (read == 2 && period > 0.0) return std::max(1, int(limit / period + 0.5));
  }
  return 0;
}

// Until something holds, or patience is at its end.
template <class Holds>
void look_for(const Holds& holds) {
  const auto stop = std::chrono::steady_clock::now() + patience;
  while (!holds() && std::chrono::steady_clock::now() < stop) rest();
}

thread_local int worker = 0;

// Where a thread of the pool may run. A system may wake it on the processor of who wakes it, and leave both there for many calls
// while another processor has nothing to do: of the processors that the thread was given, that one is forbidden.
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

  void run(int threads, int64_t parts, const std::function<void(int64_t)>& part) {
    {
      std::lock_guard<std::mutex> lock(state_);
      places_.reserve(size_t(threads - 1));
      for (; started_ < threads - 1; ++started_) {
        std::thread thread([this, id = started_] { serve(id); });
        places_.emplace_back(thread.native_handle());
        thread.detach();
      }
      for (int id = 0; id < threads - 1; ++id) places_[size_t(id)].leave_to(own_processor(), threads);
      part_ = &part;
      parts_ = parts;
      next_ = 0;
      wanted_ = threads - 1;
      is_open_ = true;
      ++generation_;
    }
    wake_.notify_all();
    work();
    // The last parts end at nearly the same time: looking for a moment is faster than to be woken.
    look_for([this] { return busy_.load() == 0; });
    std::unique_lock<std::mutex> lock(state_);
    // Who wakes up only now comes too late, and is not waited for.
    is_open_ = false;
    done_.wait(lock, [this] { return busy_.load() == 0; });
    part_ = nullptr;
  }

 private:
  void work() {
    for (int64_t i = next_++; i < parts_; i = next_++) (*part_)(i);
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
      work();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex state_;
  std::condition_variable wake_, done_;
  std::vector<Place> places_;
  const std::function<void(int64_t)>* part_ = nullptr;
  std::atomic<int64_t> next_{0};
  int64_t parts_ = 0;
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

void run_borrowed(OpenMP openmp, int threads, int64_t parts, const std::function<void(int64_t)>& part) {
  struct Job {
    const std::function<void(int64_t)>& part;
    int64_t parts;
    std::atomic<int64_t> next{0};
    std::atomic<int> arrived{0};
  } job{part, parts};
  openmp(
      [](void* data) {
        Job& job = *static_cast<Job*>(data);
        const int before = worker;
        worker = job.arrived++;
        for (int64_t i = job.next++; i < job.parts; i = job.next++) job.part(i);
        worker = before;
      },
      &job, unsigned(threads), 0);
}

#if !defined(_WIN32)
// Neither kind of thread lives on in a child, and GNU's OpenMP library does not notice.
const int at_fork = pthread_atfork(nullptr, nullptr, [] {
  shared_pool.store(nullptr);
  borrowed.store(nullptr);
});
#endif

}  // namespace

int default_threads() {
  if (const char* given = std::getenv("OMP_NUM_THREADS")) {
    const int threads = std::atoi(given);
    if (threads >= 1) return threads;
  }
  const int granted = quota();
  return granted ? std::min(granted, processors()) : processors();
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

void set_num_threads(int threads) { chosen_threads.store(std::max(1, threads)); }

void parallel_rows(int64_t rows, int64_t cost, int most_threads, const std::function<void(int64_t, int64_t)>& work) {
  if (rows <= 0) return;
  const int64_t size = rows * std::max<int64_t>(1, cost);
  const int threads = int(std::min<int64_t>({most_threads, rows, std::max<int64_t>(1, size / worthwhile)}));
  if (threads > 1) {
    Pool& shared = pool();
    std::unique_lock<std::mutex> lock(shared.owner, std::try_to_lock);
    if (lock.owns_lock()) {
      const int64_t parts = std::min(rows, threads * parts_a_thread);
      const auto part = [&](int64_t i) { work(rows * i / parts, rows * (i + 1) / parts); };
      const OpenMP openmp = borrowed.load();
      openmp ? run_borrowed(openmp, threads, parts, part) : shared.run(threads, parts, part);
      return;
    }
  }
  work(0, rows);
}

}  // namespace lastlayer
