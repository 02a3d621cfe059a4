// Threads that wait between calls, started at the first call that is worth them.
#pragma once
#include <cstdint>
#include <functional>

namespace lastlayer {

// OMP_NUM_THREADS where it is set, else what affinity and control group grant. Never more than `most_threads()`.
int default_threads();
int num_threads();
void set_num_threads(int threads);
// Four for each processor, and 64 where those are fewer: more would only take memory.
int most_threads();

// The whole processors that a control group's quota grants, 0 where there is none: version 2 or 1, whose hierarchies
// lie below `root`, for the groups that `membership` names as /proc/self/cgroup does, and for the groups that these lie
// in.
int granted_processors(const char* root, const char* membership);

// From now on the threads are those of the OpenMP library that the process has loaded, if it has one: they look for
// work for a while when theirs is done, and other threads beside them would wait for the processors meanwhile. Whether
// there is one.
bool borrow_threads();

// The threads that `parallel_rows` uses at most for so many rows of this cost.
int useful_threads(int64_t rows, int64_t cost, int threads);

// Calls work(begin, end) over parts of [0, rows), on up to `threads` where rows * cost (scores touched) is worth it,
// and on fewer where the system starts no more. A part's bounds never show in its results. Called from several threads
// at once, or inside itself, all but the first caller run on their own thread. A forked child starts afresh.
//
// Throws Interrupted, and leaves the work unfinished, where the check of `set_interrupt_check` says so: a call that
// takes long makes it many times a second, on the caller's thread and no other.
void parallel_rows(int64_t rows, int64_t cost, int threads, const std::function<void(int64_t, int64_t)>& work);

struct Interrupted {};
void set_interrupt_check(bool (*is_interrupted)());

// Which of the threads of a `parallel_rows` calls: 0 for the caller's own, less than `useful_threads` for the others.
int current_worker();

}  // namespace lastlayer
