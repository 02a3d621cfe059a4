// Every limit at which the kernels change their way, in one table. Each says what it means and how it was measured:
//
//   time        by the shortest time on both sides of the limit, in turns, on AMD Zen 4 and Zen 5 (records in
//   benchmarks/results/):
//               lastlayer bench --peers '' --operations OPERATIONS --shapes SHAPES, with the operations and shapes
//               named below
//   accuracy    by python benchmarks/softmax_errors.py and tests/native/test_softmax_bound.py: results stay within 2
//   ULP memory      follows from the size of a cache or a page
//
// Workspaces are sized by them: see runtime/workspace.hpp, and the static_asserts where each one is used.
#pragma once
#include <cstdint>

namespace lastlayer::thresholds {

// General blocks (general/layout.hpp). Up to this many classes a vector holds one class of several rows; beyond, a row
// lies along the vectors. time: ratio,sparsemax at 65536x32,65536x64,65536x100
constexpr int64_t row_per_lane_classes = 64;
// The normalized family and hardmax read longer rows in place; sparsemax and 1.5-entmax visit a row so often that
// copying it to double first pays up to this many classes. time: sparsemax,entmax15 at 8192x1000,1024x4096,1024x8192
constexpr int64_t regularized_copy_classes = 4096;
// Loops over at least this many vectors are unrolled; merging the unrolled results of fewer takes longer than it saves.
// time: ratio,hardmax at 65536x100,8192x256
constexpr int64_t unrolled_steps = 32, unrolled_steps_per_copy = 8;
// Tsallis mappings test each vector for support where at most one vector in this many has any. time: sparsemax at
// 8192x8192
constexpr int64_t sparse_share = 8;

// Softmax (softmax/choose_loop.hpp). Up to the first many classes a tile has a row in each lane; up to the second its
// rows lie along the lanes; longer rows go one at a time. time: softmax,log_softmax,cross_entropy_grad at
// 65536x48,65536x56,65536x64 and 16384x256,16384x512,8192x1000
constexpr int64_t softmax_row_per_lane_classes = 56, softmax_tile_classes = 512;
// Bytes of terms in a tile whose rows lie along the lanes: what the level-1 cache holds next to the results. Less where
// only totals are needed (float32 probabilities), so that the next tile's scores fit too. time: softmax,log_softmax at
// 65536x100,16384x256
constexpr int64_t tile_bytes = 8192, tile_bytes_for_total = 5120;
// Up to this many classes, a row in each lane: labels are found by comparing, and float32 sums are kept in double
// throughout. time: cross_entropy_grad at 65536x2,65536x8,65536x10,65536x16,65536x32
constexpr int64_t label_comparing_classes = 16, double_sum_classes = 8;
// Longer rows are summed in double, not in segments (accuracy), and their next row is prefetched into the level-2
// cache. If only the sum of a float32 row this long is needed, it goes in chunks of about 4096 scores, a multiple of
// 64, with scores 8192 ahead prefetched. time: logsumexp,cross_entropy at 1024x8192,1024x16384,256x128256
constexpr int64_t long_row_classes = 8192, chunk_scores = 4096, chunk_step = 64, chunk_prefetch = 8192;
// Vectors of a float32 or float64 row in one segment of a sum: the rounding error of a sum grows with its length.
// accuracy
constexpr int64_t float32_segment_vectors = 32, float64_segment_vectors = 1024;
// How many scores ahead of the overlapped pass the next row is prefetched, and how far ahead, at most, the memory of
// results in place. time: softmax at 8192x1000,1024x8192
constexpr int64_t overlapped_prefetch = 2048, in_place_prefetch = 2048;

// Non-temporal stores (simd/nontemporal.hpp). Results of at least this many bytes use them: they would be evicted
// before anyone reads them. On Zen 4 with 32 MiB of cache they take a tenth to a third less time from twice this size
// on, about as much at this size and half of it, and more below, where whoever reads next waits for memory. time:
// softmax at 1024x4096,1024x8192,1024x16384
constexpr int64_t nontemporal_bytes = int64_t(24) << 20;
// In rows of at least this many vectors the vector with the label is looked up; in shorter ones each is compared. time:
// cross_entropy_grad at 65536x100,8192x1000
constexpr int64_t label_lookup_vectors = 32;
// A matrix is transposed in strips of this many rows, with squares this many ahead prefetched. time: ll.softmax with
// axis=0
constexpr int64_t transpose_strip_rows = 64, transpose_prefetch_squares = 4;

// Strips of rows that are copied before a kernel works on them fit into the level-1 or level-2 cache: scores of half
// types widened to float32, and scores whose classes are not contiguous. memory
constexpr int64_t half_strip_scores = 4096, column_strip_scores = 4096;
// Strips of at least this many bytes come from the memory kept for results. memory
constexpr int64_t large_strip_bytes = int64_t(1) << 20;

// Threads (runtime/threads.cpp). Waking a thread costs more than it saves below this many scores per thread; each takes
// its rows in several shares, so that nobody waits long for an interrupted one. time: softmax at 64x1000,128x1000 with
// --threads 2
constexpr int64_t scores_per_thread = 32768, shares_per_thread = 4;
// Scores worked on before the clock is first read; then steps of about 50 ms, whole multiples of this many rows, so
// that a call can be interrupted.
constexpr int64_t scores_before_clock = int64_t(1) << 18, step_rows = 64;
// Rows whose losses one thread sums at a time. It is fixed, so that no sum depends on the number of threads.
constexpr int64_t rows_per_sum = 4096;

}  // namespace lastlayer::thresholds
