// The pool's threads under ThreadSanitizer (.ci/sanitize): calls from several threads at once, calls inside calls, a
// call that is interrupted, a forked child.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "runtime/threads.hpp"

namespace {

std::atomic<int> wrong{0}, helped{0};

// Each row of a call is worked on once, and the results are visible when the call returns.
void call(int64_t rows, bool is_nested) {
  std::vector<int> seen(rows);
  std::vector<int64_t> of_worker(8);
  lastlayer::parallel_rows(rows, 100000, 4, [&](int64_t begin, int64_t end) {
    of_worker[lastlayer::current_worker()] += end - begin;
    if (lastlayer::current_worker() > 0) ++helped;
    for (int64_t i = begin; i < end; ++i) ++seen[i];
    if (is_nested) call(3, false);
  });
  int64_t total = 0;
  for (int64_t count : of_worker) total += count;
  for (int once : seen) wrong += once != 1;
  wrong += total != rows;
}

void call_often() {
  for (int i = 0; i < 300; ++i) call(1 + i % 40, i % 3 == 0);
}

// No row is worked on twice, not all of them are, and no thread continues after the call.
void interrupted_call() {
  lastlayer::set_interrupt_check([] { return true; });
  std::vector<std::atomic<int>> seen(4000);
  bool is_interrupted = false;
  try {
    lastlayer::parallel_rows(4000, 100000, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        ++seen[size_t(i)];
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  } catch (const lastlayer::Interrupted&) {
    is_interrupted = true;
  }
  lastlayer::set_interrupt_check(nullptr);
  int done = 0;
  for (const auto& once : seen) {
    wrong += once > 1;
    done += once;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  int later = 0;
  for (const auto& once : seen) later += once;
  wrong += !is_interrupted + (done == 4000) + (later != done);
}

}  // namespace

int main() {
  call_often();
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) callers.emplace_back(call_often);
  for (std::thread& caller : callers) caller.join();
  interrupted_call();
  call_often();
  const pid_t child = fork();
  if (child == 0) {
    // It starts its own threads, which may come late on one processor.
    helped = 0;
    for (int i = 0; i < 50 && helped == 0; ++i) call_often();
    _exit(wrong != 0 || helped == 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  std::printf("threads: %d wrong, %d parts by helpers, child ended with %d\n", wrong.load(), helped.load(), status);
  return wrong != 0 || helped == 0 || status != 0;
}
