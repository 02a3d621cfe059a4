// Sharing rows among threads, which start at the first call that is large enough and then wait between calls.
#pragma once
#include <cstdint>
#include <functional>

namespace lastlayer {

// The number of threads in use: `default_threads()` until one is set.
int num_threads();
void set_num_threads(int threads);

// From now on use the threads of the OpenMP library that the process has loaded, if there is one: its threads spin for
// a while after their work, and other threads would wait for the processors meanwhile. Returns whether there is one.
bool borrow_threads();

// The number of threads that `parallel_rows` uses for this many rows of this cost.
int useful_threads(int64_t rows, int64_t cost, int threads);

// Calls work(begin, end) over shares of [0, rows), on up to `threads` threads if rows * cost (the scores touched) is
// worth it, and on fewer if the system starts no more. Results do not depend on the shares' bounds. When it is called
// by several threads at once, or inside itself, all but the first caller work alone. A forked child starts its own
// threads.
//
// Throws Interrupted, and leaves the work unfinished, when the check of `set_interrupt_check` says so: a long call
// makes it many times a second, on the caller's thread only.
void parallel_rows(int64_t rows, int64_t cost, int threads, const std::function<void(int64_t, int64_t)>& work);

struct Interrupted {};
void set_interrupt_check(bool (*is_interrupted)());

// Which thread of a `parallel_rows` call this is: 0 for the caller, less than `useful_threads` for the others.
int current_worker();

}  // namespace lastlayer
