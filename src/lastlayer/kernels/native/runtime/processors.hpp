// How many processors, and so threads, this process may use.
#pragma once

namespace lastlayer {

// OMP_NUM_THREADS if it is set, else the processors that affinity and control groups grant. At most `most_threads()`.
int default_threads();
// Four per processor and at least 64: more threads would only take memory.
int most_threads();

// The whole processors that the quotas of control groups grant, 0 without a quota. `membership` names this process's
// groups as /proc/self/cgroup does, in version 1 or 2, and `root` is where their hierarchies are mounted. Ancestors
// count too.
int granted_processors(const char* root, const char* membership);

}  // namespace lastlayer
