// Threads that wait between calls, started at the first call that is worth them.
#pragma once
#include <cstdint>
#include <functional>

namespace lastlayer {

// OMP_NUM_THREADS where it is set, else what affinity and control group grant.
int default_threads();
int num_threads();
void set_num_threads(int threads);

// From now on the threads are those of the OpenMP library that the process has loaded, if it has one: they look for work for a
// while when theirs is done, and other threads beside them would wait for the processors meanwhile. Whether there is one.
bool borrow_threads();

// Calls work(begin, end) over parts of [0, rows), on up to `most_threads` where rows * cost (scores touched) is worth it.
// A part's bounds never show in its results. Called from several threads at once, or inside itself, all but the first
// caller run on their own thread. A forked child starts afresh.
void parallel_rows(int64_t rows, int64_t cost, int most_threads, const std::function<void(int64_t, int64_t)>& work);

// Which of the threads of a `parallel_rows` calls: 0 for the caller's own, less than its `most_threads` for the others.
int current_worker();

}  // namespace lastlayer
